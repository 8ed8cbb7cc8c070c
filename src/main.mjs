#!/usr/bin/env node
// The way in: parses the command line and runs one command. It is JavaScript, because what it begins with, the cache of
// compiled code, has TypeScript stripped for all that is loaded behind it: for one file before, the stripper itself
// would have to be loaded, a tenth of every start.

import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// Every later start, and each process of a start, takes the code as it was compiled.
enableCompileCache();
// By default garbage grows to several times what is in use before it is collected: a worker that drains a long backlog
// needed 412 MB, and needs 317 so. What `npm start` hands to node besides keeps the young generation small: 250 MB.
setFlagsFromString('--heap-growing-percent=40');
const { runProgram } = await import('./cli/program.ts');
await runProgram(process.argv);
