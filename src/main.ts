#!/usr/bin/env node
// The way in: parses the command line and runs one command.

import { enableCompileCache } from 'node:module';

// Before anything else is loaded: every later start, and each process of a start, takes the code as it was compiled.
enableCompileCache();
const { runProgram } = await import('./cli/program.ts');
await runProgram(process.argv);
