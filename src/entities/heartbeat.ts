// When a periodic task last ran.

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const HeartbeatEntity = defineEntity({
  name: 'Heartbeat',
  tableName: 'heartbeat',
  properties: {
    // The task.
    name: p.text().fieldName('name').primary(),
    // The process that ran it last.
    holder: p.text().fieldName('holder'),
    // How often it should run.
    periodMs: p.integer().fieldName('period_ms'),
    // When it ran last.
    beatAt: p.datetime().fieldName('beat_at'),
  },
});

export type Heartbeat = InferEntity<typeof HeartbeatEntity>;
