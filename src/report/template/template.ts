import { Budget } from './budget.ts';
import { functions, show, truth } from './functions.ts';
import { type Node, type Operand, type Pipeline, parseTemplate, templateError } from './parse.ts';

/** Values of the variables in sight; `$` itself has the empty name. */
type Variables = ReadonlyMap<string, unknown>;

/** Where a part of a template is rendered. */
interface Scope {
  dot: unknown;
  variables: Variables;
  budget: Budget;
}

/**
 * Go's template language as docker's `--format` has it: field paths, pipes, if, with, range, variables, and the
 * functions of functions.ts.
 * @returns what renders a value
 * @throws WeaveError USAGE, here for its form, and when rendering for a field that is not there
 */
export function compile(template: string): (data: unknown) => string {
  const nodes = parseTemplate(template);
  return (data) => renderAll(nodes, { dot: data, variables: new Map([['', data]]), budget: new Budget() });
}

function renderAll(nodes: readonly Node[], outer: Scope): string {
  const variables = new Map(outer.variables);
  return nodes.map((node) => render(node, { ...outer, variables })).join('');
}

function render(node: Node, scope: Scope & { variables: Map<string, unknown> }): string {
  scope.budget.step();
  if (node.kind === 'text') return scope.budget.text(node.text);
  const value = evaluate(node.pipeline, scope);
  switch (node.kind) {
    case 'output':
      if (node.pipeline.declares === undefined) return scope.budget.text(show(value));
      scope.variables.set(node.pipeline.declares, value);
      return '';
    case 'if':
    case 'with': {
      const variables = new Map(scope.variables);
      if (node.pipeline.declares !== undefined) variables.set(node.pipeline.declares, value);
      if (!truth(value)) return renderAll(node.elseBody, { ...scope, variables });
      return renderAll(node.body, { ...scope, variables, dot: node.kind === 'with' ? value : scope.dot });
    }
    case 'range':
      return renderRange(node, value, scope);
  }
}

function renderRange(node: Node & { kind: 'range' }, value: unknown, scope: Scope): string {
  if (Array.isArray(value)) scope.budget.step(value.length);
  const entries = entriesOf(value);
  if (entries.length === 0) return renderAll(node.elseBody, scope);
  const [first, second] = node.variables;
  return entries
    .map(([key, item]) => {
      const variables = new Map(scope.variables);
      // One variable gets the item, two get key and item.
      if (first !== undefined) variables.set(first, second === undefined ? item : key);
      if (second !== undefined) variables.set(second, item);
      return renderAll(node.body, { ...scope, variables, dot: item });
    })
    .join('');
}

/** Items with their keys: of an object in the keys' order, as Go has it. */
function entriesOf(value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === 'object') return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw templateError(`range can't iterate over ${show(value)}`);
}

function evaluate(pipeline: Pipeline, scope: Scope): unknown {
  let value: unknown;
  pipeline.commands.forEach((operands, index) => {
    value = call(operands, scope, index === 0 ? [] : [value]);
  });
  return value;
}

function call([first, ...rest]: readonly Operand[], scope: Scope, piped: unknown[]): unknown {
  if (first?.kind === 'function') {
    const run = functions.get(first.name);
    if (run === undefined) throw templateError(`there is no function '${first.name}'`);
    scope.budget.step();
    const result = run(...rest.map((operand) => resolve(operand, scope)), ...piped);
    return typeof result === 'string' ? scope.budget.text(result) : result;
  }
  if (first === undefined || rest.length > 0 || piped.length > 0) {
    throw templateError("only a function takes arguments, such as 'printf' or 'json'");
  }
  return resolve(first, scope);
}

function resolve(operand: Operand, scope: Scope): unknown {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'function':
      return call([operand], scope, []);
    case 'path':
      return operand.fields.reduce(field, baseOf(operand.base, scope));
  }
}

function baseOf(base: (Operand & { kind: 'path' })['base'], scope: Scope): unknown {
  if (base === 'dot') return scope.dot;
  if ('commands' in base) return evaluate(base, scope);
  if (scope.variables.has(base.variable)) return scope.variables.get(base.variable);
  throw templateError(`there is no variable '$${base.variable}'`);
}

function field(value: unknown, name: string): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, name))
    return Reflect.get(value, name);
  const names =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  const known = names.length > 0 ? `; there are ${names.join(', ')}` : ` in ${show(value).slice(0, 40)}`;
  throw templateError(`there is no field '${name}'${known}`);
}
