import { playOn } from './engine.ts';

playOn('sid', /^1\.(5[1-9]|[6-9]\d)$/m);
