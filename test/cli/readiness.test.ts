// Who asks whether a process is ready hears so in time, also when what it stands on says nothing.

import { expect, test } from 'vitest';
import { readReadiness } from '../../src/cli/process.ts';
import { startRemit } from '../harness/app.ts';
import { type CutProxy, openCutProxy } from '../harness/cut-proxy.ts';
import { createDatabase } from '../harness/postgres.ts';

test('a process whose database hangs says that it is not ready, instead of hanging too', async () => {
  let wire: CutProxy | undefined;
  const remit = await startRemit(
    {},
    {
      withWorkers: false,
      async makeDatabase() {
        const database = await createDatabase();
        wire = await openCutProxy(database.url);
        return { ...database, url: wire.url };
      },
    },
  );
  try {
    expect((await readReadiness(remit.app, { isEnding: false })).checks.database).toMatchObject({ ok: true });
    wire?.fallSilent();
    const { ok, checks } = await readReadiness(remit.app, { isEnding: false });
    expect({ ok, database: checks.database }).toEqual({
      ok: false,
      database: { ok: false, detail: 'does not answer' },
    });
  } finally {
    await wire?.close();
    await remit.stop();
  }
});
