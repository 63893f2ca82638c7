import { functions, show, truth } from './functions.ts';
import { type Node, type Operand, type Pipeline, parseTemplate, templateError } from './parse.ts';

/** Values of the variables in sight; `$` itself has the empty name. */
type Scope = ReadonlyMap<string, unknown>;

/**
 * Go's template language as docker's `--format` has it: field paths, pipes, if, with, range, variables, and the
 * functions of template-functions.ts.
 * @returns what renders a value
 * @throws WeaveError USAGE, here for its form, and when rendering for a field that is not there
 */
export function compile(template: string): (data: unknown) => string {
  const nodes = parseTemplate(template);
  return (data) => renderAll(nodes, data, new Map([['', data]]));
}

function renderAll(nodes: readonly Node[], dot: unknown, outer: Scope): string {
  const scope = new Map(outer);
  return nodes.map((node) => render(node, dot, scope)).join('');
}

function render(node: Node, dot: unknown, scope: Map<string, unknown>): string {
  if (node.kind === 'text') return node.text;
  const value = evaluate(node.pipeline, dot, scope);
  switch (node.kind) {
    case 'output':
      if (node.pipeline.declares === undefined) return show(value);
      scope.set(node.pipeline.declares, value);
      return '';
    case 'if':
    case 'with': {
      const inner = new Map(scope);
      if (node.pipeline.declares !== undefined) inner.set(node.pipeline.declares, value);
      if (!truth(value)) return renderAll(node.elseBody, dot, inner);
      return renderAll(node.body, node.kind === 'with' ? value : dot, inner);
    }
    case 'range': {
      const entries = entriesOf(value);
      if (entries.length === 0) return renderAll(node.elseBody, dot, scope);
      return entries
        .map(([key, item]) => {
          const inner = new Map(scope);
          const [first, second] = node.variables;
          // One variable gets the item, two get key and item.
          if (first !== undefined) inner.set(first, second === undefined ? item : key);
          if (second !== undefined) inner.set(second, item);
          return renderAll(node.body, item, inner);
        })
        .join('');
    }
  }
}

/** Items with their keys: of an object in the keys' order, as Go has it. */
function entriesOf(value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return [...value.entries()];
  if (typeof value === 'object') return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw templateError(`range can't iterate over ${show(value)}`);
}

function evaluate(pipeline: Pipeline, dot: unknown, scope: Scope): unknown {
  let value: unknown;
  pipeline.commands.forEach((operands, index) => {
    value = call(operands, dot, scope, index === 0 ? [] : [value]);
  });
  return value;
}

function call([first, ...rest]: readonly Operand[], dot: unknown, scope: Scope, piped: unknown[]): unknown {
  if (first?.kind === 'function') {
    const run = functions.get(first.name);
    if (run === undefined) throw templateError(`there is no function '${first.name}'`);
    return run(...rest.map((operand) => resolve(operand, dot, scope)), ...piped);
  }
  if (first === undefined || rest.length > 0 || piped.length > 0) {
    throw templateError("only a function takes arguments, such as 'printf' or 'json'");
  }
  return resolve(first, dot, scope);
}

function resolve(operand: Operand, dot: unknown, scope: Scope): unknown {
  switch (operand.kind) {
    case 'literal':
      return operand.value;
    case 'function':
      return call([operand], dot, scope, []);
    case 'path':
      return operand.fields.reduce(field, baseOf(operand.base, dot, scope));
  }
}

function baseOf(base: (Operand & { kind: 'path' })['base'], dot: unknown, scope: Scope): unknown {
  if (base === 'dot') return dot;
  if ('commands' in base) return evaluate(base, dot, scope);
  if (scope.has(base.variable)) return scope.get(base.variable);
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
