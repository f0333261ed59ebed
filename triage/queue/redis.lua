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
--   members:<id>        set     tickets inside a bundle
--   key:<key>           string  tickets that copies find by this key of their signature
--                               (triage/bundle), newest first, spaces between; has a TTL
--   history:<id>        list    what happened, JSON, oldest first
--   queue:<team>        zset    open tickets in order: due, + 1e15 for all but kritiek
--   depth:<team>:<rank> zset    the same tickets by urgency (0 kritiek .. 3 laag), score: due
--   teams               set     teams that have had tickets
--   resolved            zset    resolved tickets, score: when
--   positions           hash    partition -> next offset to read
--   token               string  the last fencing token
--   outbox              stream  e: JSON list of events; or of a lease: t i s v by r; a: when
--   published           string  cursor up to which the relay has published
--   answer:<request>    string  what a request was answered; has a TTL
--
-- A script that fails half-way leaves its writes. So each command first reads and compares
-- everything it will write over (which also meets keys of a wrong type), then writes.

local prefix, command = KEYS[1], ARGV[1]
local ANSWER_SECONDS = 600
local HISTORY_LIMIT = 200
local PAGE = 64
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

local function answered(request)
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
end

local function enqueue(id, team, rank, due)
  local order = rank == '0' and due or number(tonumber(due) + 1e15)
  redis.call('ZADD', key('queue', team), order, id)
  redis.call('ZADD', key('depth', team .. ':' .. rank), due, id)
end

local function dequeue(id, team, rank)
  redis.call('ZREM', key('queue', team), id)
  redis.call('ZREM', key('depth', team .. ':' .. rank), id)
end

local function push_history(id, items)
  if #items == 0 then return end
  local list = key('history', id)
  for _, item in ipairs(items) do redis.call('RPUSH', list, item) end
  redis.call('LTRIM', list, -HISTORY_LIMIT, -1)
end

-- write: request, answer, at, advances, creations, changes, tickets considered ------------------------------------

local function take_advances()
  local advances = {}
  for i = 1, tonumber(take()) do
    advances[i] = { partition = take(), expected = take(), next = take() }
  end
  return advances
end

local function take_list()
  local list = {}
  for i = 1, tonumber(take()) do list[i] = take() end
  return list
end

local function take_creations()
  local creations = {}
  for i = 1, tonumber(take()) do
    creations[i] = { id = take(), digest = take(), team = take(), rank = take(), due = take(),
      s = take(), doc = take(), event = take(), within = take(), shared = take(), window = take() }
    creations[i].keys = take_list()
  end
  return creations
end

-- `kind`: check (the ticket stands as read), append or rewrite (the history).
-- `from_team` and `to_team` are empty where the ticket was not, or will not be, in a queue.
local function take_changes()
  local changes = {}
  for i = 1, tonumber(take()) do
    local change = { id = take(), version = take(), kind = take() }
    if change.kind ~= 'check' then
      change.v, change.s, change.doc, change.seen = take(), take(), take(), take()
      change.from_team, change.from_rank = take(), take()
      change.to_team, change.to_rank, change.due = take(), take(), take()
      change.resolved = take()
      change.owner, change['until'] = take(), take()
      change.from_within, change.within, change.bundle = take(), take(), take()
      change.history, change.events = take_list(), take_list()
      change.shared, change.window, change.keys = take(), take(), take_list()
    end
    changes[i] = change
  end
  return changes
end

local function moved_positions(advances)
  local moved = {}
  for _, advance in ipairs(advances) do
    local stands = redis.call('HGET', key('positions'), advance.partition) or ''
    if stands ~= advance.expected then
      moved[#moved + 1] = advance.partition
      moved[#moved + 1] = stands
    end
  end
  return moved
end

-- What copies find by some keys, read once for a call.
local buckets = {}
local function load_buckets(keys)
  local missing, names = {}, {}
  for _, name in ipairs(keys) do
    if buckets[name] == nil then
      missing[#missing + 1] = name
      names[#names + 1] = key('key', name)
    end
  end
  if #missing == 0 then return end
  for i, found in ipairs(redis.call('MGET', unpack(names))) do
    buckets[missing[i]] = found or ''
  end
end

local function register(id, keys, window)
  if #keys == 0 then return end
  load_buckets(keys)
  for _, name in ipairs(keys) do
    local ids, count = id, 1
    for other in string.gmatch(buckets[name], '%S+') do
      if other ~= id and count < BUCKET then
        ids, count = ids .. ' ' .. other, count + 1
      end
    end
    buckets[name] = ids
    redis.call('SET', key('key', name), ids, 'EX', window)
  end
end

-- Adds to `met` the tickets that a new one may be a copy of and that the caller has not looked at:
-- found by its first key (an equal text), or by as many as it must share.
local function add_lookalikes(new, considered, met)
  load_buckets(new.keys)
  local hits, shared = {}, tonumber(new.shared)
  for i, name in ipairs(new.keys) do
    for id in string.gmatch(buckets[name], '%S+') do
      hits[id] = (hits[id] or 0) + (i == 1 and shared or 1)
      if hits[id] >= shared and not considered[id] then
        considered[id] = true
        local ticket = read(id, true)
        local lead = ticket[10] or ''
        if ticket[2] and lead == '' then
          met[#met + 1] = ticket
        elseif ticket[2] and not considered[lead] then
          considered[lead] = true
          met[#met + 1] = read(lead, true)
        end
      end
    end
  end
end

-- Adds a ticket as it stands, and the bundle that it is inside.
local function add_met(met, id)
  local ticket = read(id, true)
  met[#met + 1] = ticket
  if (ticket[10] or '') ~= '' then met[#met + 1] = read(ticket[10], true) end
end

-- Leaves repeats out of `creations`; gives the tickets that are not as the caller read them.
local function compare(creations, changes, considered)
  local fresh, met = {}, {}
  for _, new in ipairs(creations) do
    local stands = redis.call('HMGET', key('ticket', new.id), 'v', 'seen')
    if not stands[1] then
      fresh[#fresh + 1] = new
      probe(new.team, new.rank)
      if new.within == '' then add_lookalikes(new, considered, met) end
    elseif new.within ~= '' or not string.find(stands[2] or '', new.digest, 1, true) then
      add_met(met, new.id)
    end
  end
  for _, change in ipairs(changes) do
    local v = redis.call('HGET', key('ticket', change.id), 'v') or '0'
    redis.call('LLEN', key('history', change.id))
    if v ~= change.version then
      add_met(met, change.id)
    elseif change.kind ~= 'check' then
      if change.from_team ~= '' then probe(change.from_team, change.from_rank) end
      if change.to_team ~= '' then probe(change.to_team, change.to_rank) end
      if v == '0' then add_lookalikes(change, considered, met) end
    end
  end
  return fresh, met
end

local function apply(change)
  local ticket = key('ticket', change.id)
  redis.call('HSET', ticket, 'v', change.v, 's', change.s, 'seen', change.seen)
  if change.doc ~= '' then redis.call('HSET', ticket, 'doc', change.doc) end
  redis.call('HDEL', ticket, 'gone', 'done')
  redis.call('PERSIST', ticket)
  if change.owner == '' then redis.call('HDEL', ticket, 'owner')
  else redis.call('HSET', ticket, 'owner', change.owner) end
  if change['until'] == '0' then redis.call('HDEL', ticket, 'until')
  else redis.call('HSET', ticket, 'until', change['until']) end
  if change.bundle == '' then
    redis.call('HDEL', ticket, 'b')
  else
    redis.call('HSET', ticket, 'b', change.bundle)
  end
  if change.within ~= change.from_within then
    if change.from_within ~= '' then
      redis.call('SREM', key('members', change.from_within), change.id)
    end
    if change.within == '' then
      redis.call('HDEL', ticket, 'w')
    else
      redis.call('HSET', ticket, 'w', change.within)
      redis.call('SADD', key('members', change.within), change.id)
    end
  end
  register(change.id, change.keys, change.window)
  if change.from_team ~= '' then dequeue(change.id, change.from_team, change.from_rank) end
  if change.to_team ~= '' then
    enqueue(change.id, change.to_team, change.to_rank, change.due)
    redis.call('SADD', key('teams'), change.to_team)
  end
  if change.resolved ~= '0' then
    redis.call('HSET', ticket, 'done', 1)
    redis.call('ZADD', key('resolved'), change.resolved, change.id)
  else
    redis.call('ZREM', key('resolved'), change.id)
  end
  if change.kind == 'rewrite' then redis.call('DEL', key('history', change.id)) end
  push_history(change.id, change.history)
end

local function write()
  local request, answer, now = take(), take(), take()
  local earlier = answered(request)
  if earlier then return { 'again', earlier } end
  local advances, creations, changes = take_advances(), take_creations(), take_changes()
  local considered = {}
  for _, id in ipairs(take_list()) do considered[id] = true end
  probe_common()
  local moved = moved_positions(advances)
  local fresh, met = compare(creations, changes, considered)
  if #moved > 0 or #met > 0 then return { 'stale', moved, met } end

  local events, teams = {}, {}
  for _, new in ipairs(fresh) do
    redis.call('HSET', key('ticket', new.id), 'v', 1, 's', new.s, 'doc', new.doc,
      'seen', new.digest)
    if new.within == '' then
      enqueue(new.id, new.team, new.rank, new.due)
      teams[new.team] = true
      register(new.id, new.keys, new.window)
    else
      redis.call('HSET', key('ticket', new.id), 'w', new.within)
      redis.call('SADD', key('members', new.within), new.id)
    end
    events[#events + 1] = new.event
  end
  for team in pairs(teams) do redis.call('SADD', key('teams'), team) end
  for _, change in ipairs(changes) do
    if change.kind ~= 'check' then
      apply(change)
      for _, event in ipairs(change.events) do events[#events + 1] = event end
    end
  end
  for _, advance in ipairs(advances) do
    redis.call('HSET', key('positions'), advance.partition, advance.next)
  end
  if #events > 0 then
    redis.call('XADD', key('outbox'), '*', 'e', '[' .. table.concat(events, ',') .. ']', 'a', now)
  end
  local repeated = #creations - #fresh
  remember(request, repeated .. ' ' .. answer)
  return { 'done', repeated }
end

-- find: per post its ticket, how many keys a copy must share, and its keys --------------------

local function find()
  local considered, met = {}, {}
  while ARGV[at + 1] do
    local new = { id = take(), shared = take(), keys = take_list() }
    if redis.call('EXISTS', key('ticket', new.id)) == 1 then
      if not considered[new.id] then add_met(met, new.id) end
      considered[new.id] = true
    else
      add_lookalikes(new, considered, met)
    end
  end
  return met
end

-- claim: request, ticket (empty: the first free one of the team), team, now, until, owner,
-- owner as JSON, history item, request hash ----------------------------------------------------

local function first_free(team, now)
  local start = 0
  while true do
    local page = redis.call('ZRANGE', key('queue', team), start, start + PAGE - 1)
    for _, id in ipairs(page) do
      local till = redis.call('HGET', key('ticket', id), 'until')
      if not till or tonumber(till) <= now then return id end
    end
    if #page < PAGE then return nil end
    start = start + PAGE
  end
end

local function next_token()
  local time = redis.call('TIME')
  local floor = tonumber(time[1]) * 1000000 + tonumber(time[2])
  local last = tonumber(redis.call('GET', key('token')) or '0')
  return number(math.max(last + 1, floor))
end

local function claim()
  local request, id, team, now, till = take(), take(), take(), take(), take()
  local owner, owner_json, item, hash = take(), take(), take(), take()
  local earlier = answered(request)
  if earlier then return { 'again', earlier } end
  if id == '' then
    id = first_free(team, tonumber(now))
    if not id then return { 'none' } end
  end
  local ticket = key('ticket', id)
  local stands = redis.call('HMGET', ticket,
    'v', 's', 'gone', 'done', 'until', 'w', 'owner')
  if not stands[1] or stands[3] then return { 'missing' } end
  if stands[6] then return { 'bundled' } end
  if stands[4] then return { 'resolved' } end
  if stands[7] and tonumber(stands[5]) > tonumber(now) then return { 'claimed' } end
  redis.call('LLEN', key('history', id))
  redis.call('XLEN', key('outbox'))

  local token, version, s = next_token(), number(tonumber(stands[1]) + 1), stands[2]
  redis.call('SET', key('token'), token)
  redis.call('HSET', ticket, 'v', version, 'owner', owner, 'token', token, 'until', till)
  push_history(id, { item })
  redis.call('XADD', key('outbox'), '*', 't', 'claimed', 'i', id, 's', s, 'v', version,
    'by', owner, 'r', hash, 'a', now)
  remember(request, '0 {"id":"' .. id .. '","version":' .. version .. ',"owner":' .. owner_json ..
    ',"token":' .. token .. ',"until":' .. till .. ',"state":' .. s .. '}')
  return { 'done', read(id, true) }
end

-- get: request, ticket, 1 for its members too. list: team, offset, limit. stats: now ----------------------------------

local function get()
  local request, id, whole = take(), take(), take()
  local ticket, others = read(id, true), {}
  if (ticket[10] or '') ~= '' then others[1] = read(ticket[10], true) end
  if whole == '1' then
    for _, member in ipairs(redis.call('SMEMBERS', key('members', id))) do
      others[#others + 1] = read(member, false)
    end
  end
  return { answered(request), ticket, others }
end

local function list()
  local team, start, limit = take(), tonumber(take()), tonumber(take())
  local tickets = {}
  for _, id in ipairs(redis.call('ZRANGE', key('queue', team), start, start + limit - 1)) do
    tickets[#tickets + 1] = read(id, false)
  end
  return tickets
end

local function stats()
  local now, depths = take(), {}
  for _, team in ipairs(redis.call('SMEMBERS', key('teams'))) do
    for rank = 0, 3 do
      local depth = key('depth', team .. ':' .. rank)
      local count = redis.call('ZCARD', depth)
      if count > 0 then
        local late = redis.call('ZCOUNT', depth, '-inf', '(' .. now)
        local first = redis.call('ZRANGE', depth, 0, 0, 'WITHSCORES')
        depths[#depths + 1] = { team, rank, count, late, first[2] }
      end
    end
  end
  return depths
end

-- published: ms, sequence, index of the cursor. sweep: resolved before, outbox before, seconds
-- that ids are remembered, limit ---------------------------------------------------------------

local function cursor_parts(cursor)
  local ms, sequence, index = string.match(cursor, '^(%d+)-(%d+)%.(%d+)$')
  return { tonumber(ms), tonumber(sequence), tonumber(index) }
end

local function before(a, b)
  for i = 1, 3 do
    if a[i] ~= b[i] then return a[i] < b[i] end
  end
  return false
end

local function published()
  local cursor = take()
  local stands = redis.call('GET', key('published'))
  if stands and not before(cursor_parts(stands), cursor_parts(cursor)) then return 0 end
  redis.call('SET', key('published'), cursor)
  return 1
end

local function trim_outbox(horizon)
  local stands = redis.call('GET', key('published'))
  if not stands then return end
  -- The entry of the cursor stays: not all of its events may be published.
  local last = cursor_parts(stands)
  if before(last, { horizon, 0, 0 }) then
    redis.call('XTRIM', key('outbox'), 'MINID', string.match(stands, '^[%d-]+'))
  else
    redis.call('XTRIM', key('outbox'), 'MINID', number(horizon) .. '-0')
  end
end

local function forget(id, seconds)
  local ticket = key('ticket', id)
  redis.call('DEL', key('history', id))
  redis.call('HDEL', ticket, 'doc', 'done', 'owner', 'token', 'until', 'b')
  redis.call('HSET', ticket, 'gone', 1)
  redis.call('EXPIRE', ticket, seconds)
end

local function sweep()
  local resolved_before, outbox_before = take(), tonumber(take())
  local remember_seconds, limit = take(), take()
  local old = redis.call('ZRANGEBYSCORE', key('resolved'), '-inf', '(' .. resolved_before,
    'LIMIT', 0, limit)
  for _, id in ipairs(old) do
    for _, member in ipairs(redis.call('SMEMBERS', key('members', id))) do
      forget(member, remember_seconds)
    end
    redis.call('DEL', key('members', id))
    forget(id, remember_seconds)
    redis.call('ZREM', key('resolved'), id)
  end
  trim_outbox(outbox_before)
  return #old
end

local commands = { write = write, find = find, claim = claim, get = get, list = list, stats = stats,
  published = published, sweep = sweep }
return commands[command]()
