// Ends every process of the run when the run itself is killed, paused ones too: its pipe to us then closes.

import { type ChildProcess, spawn } from 'node:child_process';

export interface Guard {
  watch(child: ChildProcess): void;
  dismiss(): void;
}

/** `folder`: of the data; the database server stands in no list, because it starts anew under another number. */
export function openGuard(folder: string): Guard {
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'sh', folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  guard.unref();
  // It may be gone when the last child ends; that is no news.
  guard.stdin.on('error', () => undefined);
  return {
    watch(child) {
      if (child.pid === undefined) return;
      guard.stdin.write(`+ ${child.pid}\n`);
      child.once('exit', () => guard.stdin.write(`- ${child.pid}\n`));
    },
    dismiss: () => void guard.kill('SIGKILL'),
  };
}

const SCRIPT = `
pids=
while read -r sign pid; do
  rest=
  for one in $pids; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  pids=$rest
  [ "$sign" = + ] && pids="$pids $pid"
done
for one in $pids; do kill -9 "$one"; done
read -r postmaster < "$1/postgres/postmaster.pid" && kill -QUIT "$postmaster" && while kill -0 "$postmaster"; do :; done
rm -rf "$1"
`;
