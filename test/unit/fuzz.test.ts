import test from 'node:test';
import { fuzzControl } from '../fuzz/control.ts';
import { fuzzQueries, fuzzUpstream } from '../fuzz/dns.ts';
import { fuzzRecords } from '../fuzz/records.ts';
import { fuzzTemplates } from '../fuzz/templates.ts';

// A short turn, always the same; `npm run fuzz -- --seed S --count N` takes longer ones.
const options = { seed: 1, count: 300 };

test('templates: text, or an explained error', () => fuzzTemplates(options));
test('store records: a typed record, or none', () => fuzzRecords(options));
test('DNS queries: a response with the same id, or none', () => fuzzQueries(options));
test('upstream DNS answers: only one that matches the question is accepted', () => fuzzUpstream(options));
test('the control socket: an HTTP answer, and typed input for its handlers', () => fuzzControl(options));
