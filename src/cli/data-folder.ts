// The data folder: made when it is missing, level by level, because making all levels at once can hang on folders
// that only look like ordinary ones (/proc).

import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '../runtime/config.ts';

/** Throws a ConfigError that names the variable and the fix. */
export function makeDataFolder(path: string): void {
  try {
    makeLevels(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const fix = 'Set it to a folder that this user may write, or to a path where one can be made.';
    throw new ConfigError([`REMIT_DATA_DIR "${path}" cannot be used (${reason}). ${fix}`]);
  }
}

function makeLevels(path: string): void {
  const known = statSync(path, { throwIfNoEntry: false });
  if (known?.isDirectory()) return;
  if (known === undefined && dirname(path) !== path) makeLevels(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process of ours may have made it meanwhile.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
