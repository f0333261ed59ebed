-- The queue in Redis: every change is one call of this script, so it happens whole or not at all.
--
-- Keys. KEYS[1] is the prefix `triage:{ORG}:`; each key below starts with it, so that an
-- organisation lies in one slot of a cluster. Times are ms since 1970, tokens are microseconds.
--   ticket:<id>         hash    v        version, grows with every change
--                               s        what decides, JSON (triage/queue/document.py)
--                               doc      the post and its assessment, JSON
--                               seen     digests of the contents put under this id, spaces between
--                               done     1 once resolved
--                               gone     1 when retention took all but v, s and seen (has a TTL)
--                               owner, token, until   the last lease; no owner: it was ended,
--                                        and a time alone sets the ticket aside until then
--                               w        the bundle that it stands inside; then it's in no queue
--                               b        what is known of its copies, JSON (queue/summary.py)
--                               by       who wrote it, once resolved: the end of an `author:` key
--   author:<digest>     zset    resolved tickets of one author, score: when
--   members:<id>        set     tickets inside a bundle
--   keys:<day>          hash    key of a signature (triage/bundle) -> tickets that copies find by
--                               it, newest first, each `<id>/<length of its text>`, spaces between
--                               (has a TTL)
--   keydays             zset    days that have such keys, score: when no window reaches them, s
--   registered          string  the last request after which copies find more tickets than before
--   mutes               hash    who is muted: id -> JSON (triage/queue/mute.py)
--   muting              string  names how these stand; changes with every one
--   taken:<id>          zset    tickets that a mute took, score: when
--   history:<id>        list    what happened, JSON, oldest first
--   queue:<team>        zset    open tickets in order: due, + 1e15 for all but kritiek
--   depth:<team>:<rank> zset    the same tickets by urgency (0 kritiek .. 3 laag), score: due
--   teams               set     teams that have had tickets
--   resolved            zset    resolved tickets, score: when
--   positions           hash    partition -> next offset to read
--   token               string  the last fencing token
--   outbox              stream  e: JSON list of events; or of a lease: t i s v by r; a: when
--   published           string  cursor up to which the relay has published
--   handovers           zset    tickets on their way to another system, score: when to send
--   handing             hash    of those: ticket -> its version by that, how often it was taken, when
--                               it was handed over and what is said with it, spaces between
--   answer:<request>    string  what a request was answered; has a TTL
--
-- A script that fails half-way leaves its writes. So each command first reads and compares
-- everything it will write over (which also meets keys of a wrong type), then writes.

local prefix, command = KEYS[1], ARGV[1]
local ANSWER_SECONDS = 600
local HISTORY_LIMIT = 200
local PAGE = 64
local NOTED_LIMIT, SAME = 100, '=' -- triage/queue/authors.py
local BUCKET = 8 -- tickets found by one key, at most

local at = 1
local function take()
  at = at + 1
  return ARGV[at]
end

local function key(kind, name)
  if name then return prefix .. kind .. ':' .. name end
  return prefix .. kind
end

local function number(value) return string.format('%.0f', value) end

-- A ticket as it stands: id, v, s, doc, seen, gone, owner, token, until, w, b, history...
local function read(id, with_history)
  local ticket = redis.call('HMGET', key('ticket', id),
    'v', 's', 'doc', 'seen', 'gone', 'owner', 'token', 'until', 'w', 'b')
  table.insert(ticket, 1, id)
  if with_history then
    for _, item in ipairs(redis.call('LRANGE', key('history', id), 0, -1)) do
      ticket[#ticket + 1] = item
    end
  end
  return ticket
end

local function earlier_answer(request)
  return request ~= '' and redis.call('GET', key('answer', request))
end

local function remember(request, answer)
  if request ~= '' then
    redis.call('SET', key('answer', request), answer, 'EX', ANSWER_SECONDS)
  end
end

-- Fails now, before anything is written, where a key has a wrong type.
local probed = {}
local function probe(team, rank)
  local depth = key('depth', team .. ':' .. rank)
  if probed[depth] then return end
  redis.call('ZCARD', depth)
  redis.call('ZCARD', key('queue', team))
  probed[depth] = true
end

local function probe_common()
  redis.call('SCARD', key('teams'))
  redis.call('ZCARD', key('resolved'))
  redis.call('XLEN', key('outbox'))
  redis.call('HLEN', key('positions'))
  redis.call('ZCARD', key('keydays'))
  redis.call('ZCARD', key('handovers'))
  redis.call('HLEN', key('handing'))
end

-- Puts tickets into their queues, those of a queue at once: a command costs more than a member.
local AT_ONCE = 1000 -- so many values are passed to a command, at most
local function enqueue(tickets)
  local queues = {}
  local function add(queue, score, id)
    local members = queues[queue] or {}
    queues[queue] = members
    members[#members + 1], members[#members + 2] = number(score), id
  end
  for _, ticket in ipairs(tickets) do
    local rank, due = tonumber(ticket.rank), tonumber(ticket.due)
    add(key('queue', ticket.team), rank == 0 and due or due + 1e15, ticket.id)
    add(key('depth', ticket.team .. ':' .. rank), due, ticket.id)
  end
  for queue, members in pairs(queues) do
    for from = 1, #members, AT_ONCE do
      redis.call('ZADD', queue, unpack(members, from, math.min(from + AT_ONCE - 1, #members)))
    end
  end
end

local function dequeue(id, team, rank)
  redis.call('ZREM', key('queue', team), id)
  redis.call('ZREM', key('depth', team .. ':' .. rank), id)
end

-- Names how the mutes stand; empty where there never were any.
local function muting() return redis.call('GET', key('muting')) or '' end

local function mutes_now()
  local mutes = redis.call('HVALS', key('mutes'))
  table.insert(mutes, 1, muting())
  return mutes
end

-- Fails now where a key of mutes has a wrong type; gives what is to be written.
local function probe_mutes(raw)
  local changes = cjson.decode(raw)
  redis.call('HLEN', key('mutes'))
  for _, pair in ipairs(changes.taken) do redis.call('ZCARD', key('taken', pair[1])) end
  return changes
end

-- Writes mutes, but for one that was ended already; and which tickets they took.
local function write_mutes(changes, now)
  for _, mute in ipairs(changes.mutes) do
    local id, over, raw = unpack(mute)
    local stands = redis.call('HGET', key('mutes'), id)
    if not stands or over < cjson.decode(stands).over then
      local time = redis.call('TIME')
      redis.call('HSET', key('mutes'), id, raw)
      redis.call('SET', key('muting'), time[1] .. '.' .. time[2])
    end
  end
  for _, pair in ipairs(changes.taken) do
    redis.call('ZADD', key('taken', pair[1]), 'NX', now, pair[2])
  end
end

local function push_history(id, items)
  if #items == 0 then return end
  local list = key('history', id)
  for _, item in ipairs(items) do redis.call('RPUSH', list, item) end
  redis.call('LTRIM', list, -HISTORY_LIMIT, -1)
end
