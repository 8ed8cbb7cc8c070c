#!/usr/bin/env node
// The way in: parses the command line and runs one command.

import { runProgram } from './cli/program.ts';

await runProgram(process.argv);
