// What Redis does for many jobs in one command, on the keys that BullMQ keeps and as BullMQ does it for each job: a
// test compares what both leave. Job by job it costs Redis twice as much, and node six times.

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

type Values = readonly (string | number)[];
export type Script = (redis: Redis, keys: readonly string[], values: Values) => Promise<unknown>;

// A call costs more than what it does, so what can be done for all jobs together is; and numbers are text, because
// Redis writes a number of Lua out with seventeen digits.

/** BullMQ trims the stream of events to about this length, at whole blocks. */
const READ_EVENTS_MAX = "local events_max = redis.call('HGET', meta, 'opts.maxLenEvents') or '10000'";
const APPEND = "'MAXLEN', '~', events_max, '*', 'event'";

/** Adds jobs to those that wait, in order. One whose id is there already, done or not, stays as it is. */
export const addScript = script(`
  local wait, meta, events, marker, counter = unpack(KEYS)
  local prefix, name, options, now = unpack(ARGV, 1, 4)
  local UNPACKED_MAX = 1000 -- Lua's stack holds some thousands
  ${READ_EVENTS_MAX}
  local added = {}
  for i = 5, #ARGV, 2 do
    local id, data = ARGV[i], ARGV[i + 1]
    local job = prefix .. id
    if redis.call('EXISTS', job) == 1 then
      redis.call('XADD', events, ${APPEND}, 'duplicated', 'jobId', id)
    else
      redis.call('HSET', job, 'name', name, 'data', data, 'timestamp', now, 'delay', '0', 'priority', '0',
        'opts', options .. ',"jobId":' .. cjson.encode(id) .. '}')
      redis.call('XADD', events, ${APPEND}, 'added', 'jobId', id, 'name', name)
      redis.call('XADD', events, ${APPEND}, 'waiting', 'jobId', id)
      added[#added + 1] = id
    end
  end
  for first = 1, #added, UNPACKED_MAX do
    redis.call('LPUSH', wait, unpack(added, first, math.min(first + UNPACKED_MAX - 1, #added)))
  end
  redis.call('INCRBY', counter, (#ARGV - 4) / 2)
  -- What wakes a worker.
  if #added > 0 and redis.call('HEXISTS', meta, 'paused') == 0 then redis.call('ZADD', marker, 0, '0') end
`);

/**
 * Ends jobs, each named with the attempts that it has made, as completed and hands out others, locked for the same
 * token: {those that it holds no more, fields of those handed out}. A queue that is paused or has a limit of its own
 * hands out nothing here; BullMQ's own command may.
 */
export const exchangeScript = script(`
  local wait, active, meta, events, marker, completed, stalled = unpack(KEYS)
  local prefix, token, lock_ms, now, wanted, kept_count, kept_seconds = unpack(ARGV, 1, 7)
  ${READ_EVENTS_MAX}

  local asked = {}
  for i = 8, #ARGV, 2 do asked[#asked + 1] = prefix .. ARGV[i] .. ':lock' end
  local holders = #asked > 0 and redis.call('MGET', unpack(asked)) or {}
  local refused, ended, locks, scores = {}, {}, {}, {}
  for place, lock in ipairs(asked) do
    local id, attempts = ARGV[6 + 2 * place], ARGV[7 + 2 * place]
    if holders[place] == token and redis.call('LREM', active, '-1', id) == 1 then
      redis.call('HSET', prefix .. id, 'atm', attempts, 'returnvalue', 'null', 'finishedOn', now)
      redis.call('XADD', events, ${APPEND}, 'completed', 'jobId', id, 'returnvalue', 'null', 'prev', 'active')
      ended[#ended + 1] = id
      locks[#locks + 1] = lock
      scores[#scores + 1] = now
      scores[#scores + 1] = id
    else
      refused[#refused + 1] = id
    end
  end

  if #ended > 0 then
    redis.call('DEL', unpack(locks))
    redis.call('SREM', stalled, unpack(ended))
    redis.call('ZADD', completed, unpack(scores))
    local function forget(ids)
      if #ids == 0 then return end
      local keys = {}
      for _, id in ipairs(ids) do
        keys[#keys + 1] = prefix .. id
        keys[#keys + 1] = prefix .. id .. ':logs'
      end
      redis.call('DEL', unpack(keys))
      redis.call('ZREM', completed, unpack(ids))
    end
    local old = now - kept_seconds * 1000
    forget(redis.call('ZRANGEBYSCORE', completed, '-inf', old, 'LIMIT', 0, 1000))
    forget(redis.call('ZREVRANGE', completed, kept_count, kept_count + 1000))
  end

  local limits = redis.call('HMGET', meta, 'paused', 'concurrency', 'max')
  if limits[1] or limits[2] or limits[3] then wanted = 0 end
  wanted = tonumber(wanted)
  -- The oldest is last.
  local next = wanted > 0 and redis.call('LRANGE', wait, -wanted, -1) or {}
  local taken, ids = {}, {}
  for place = #next, 1, -1 do
    local id = next[place]
    ids[#ids + 1] = id
    local job = prefix .. id
    local fields = redis.call('HMGET', job, 'name', 'data', 'timestamp', 'atm', 'ats', 'defa')
    redis.call('SET', job .. ':lock', token, 'PX', lock_ms)
    redis.call('HSET', job, 'processedOn', now, 'ats', fields[5] and string.format('%d', fields[5] + 1) or '1')
    redis.call('XADD', events, ${APPEND}, 'active', 'jobId', id, 'prev', 'waiting')
    fields[7] = id
    taken[#taken + 1] = fields
  end
  if #ids > 0 then
    redis.call('LTRIM', wait, 0, -#ids - 1)
    redis.call('LPUSH', active, unpack(ids))
  end

  if redis.call('LLEN', wait) > 0 then
    -- So that others look as well.
    if not limits[1] then redis.call('ZADD', marker, 0, '0') end
  elseif #ended > 0 and redis.call('LLEN', active) == 0 then
    redis.call('XADD', events, ${APPEND}, 'drained')
  end
  return {refused, taken}
`);

/** A script that Redis knows by its hash once it has seen it. */
function script(lua: string): Script {
  const hash = createHash('sha1').update(lua).digest('hex');
  return async (redis, keys, values) => {
    try {
      return await redis.evalsha(hash, keys.length, ...keys, ...values);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return redis.eval(lua, keys.length, ...keys, ...values);
    }
  };
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
