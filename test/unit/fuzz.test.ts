import test from 'node:test';
import { fuzzControl } from '../fuzz/control.ts';
import { fuzzQueries, fuzzUpstream } from '../fuzz/dns.ts';
import { fuzzRecords } from '../fuzz/records.ts';
import { fuzzTemplates } from '../fuzz/templates.ts';

// A short turn, always the same; `npm run fuzz -- --seed S --count N` takes longer ones.
const options = { seed: 1, count: 300 };

test('templates: a text, or a mistake that is explained', () => fuzzTemplates(options));
test('records of stores: a typed record, or none', () => fuzzRecords(options));
test('DNS queries: a response with the same id, or none', () => fuzzQueries(options));
test('DNS answers from upstream: only one to the very question is taken', () => fuzzUpstream(options));
test('the control socket: an answer of HTTP, and typed input for its handlers', () => fuzzControl(options));
