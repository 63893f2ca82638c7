import { playOn } from './engine.ts';

playOn('trixie', /^1\.45$/m);
