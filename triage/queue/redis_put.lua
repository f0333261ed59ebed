-- What a put reads and writes; goes on from redis.lua.

-- write: request, answer, at, advances, creations, changes, tickets considered, and those that
-- replies are about and that the caller does not know ---------------------------------------------

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
-- those with an equal text (its first key), and of the others the few that share most keys.
local EQUAL, CANDIDATES = 1000, 4
local function add_lookalikes(new, considered, met)
  load_buckets(new.keys)
  local hits, ids, shared = {}, {}, tonumber(new.shared)
  for i, name in ipairs(new.keys) do
    for id in string.gmatch(buckets[name], '%S+') do
      if not hits[id] then ids[#ids + 1] = id end
      hits[id] = (hits[id] or 0) + (i == 1 and EQUAL or 1)
    end
  end
  table.sort(ids, function(a, b)
    if hits[a] ~= hits[b] then return hits[a] > hits[b] end
    return a < b
  end)
  for place, id in ipairs(ids) do
    if hits[id] < shared or (place > CANDIDATES and hits[id] < EQUAL) then break end
    if not considered[id] then
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

-- Adds a ticket as it stands, and the bundle that it is inside.
local function add_met(met, id)
  local ticket = read(id, true)
  met[#met + 1] = ticket
  if (ticket[10] or '') ~= '' then met[#met + 1] = read(ticket[10], true) end
end

-- Adds tickets that replies are about, where there are such.
local function add_answered(ids, considered, met)
  for _, id in ipairs(ids) do
    if not considered[id] and redis.call('EXISTS', key('ticket', id)) == 1 then
      considered[id] = true
      add_met(met, id)
    end
  end
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
  local answers = take_list()
  probe_common()
  local moved = moved_positions(advances)
  local fresh, met = compare(creations, changes, considered)
  add_answered(answers, considered, met)
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

-- find: tickets that replies are about; per post its ticket, how many keys a copy must share, and
-- its keys ----------------------------------------------------------------------------------------

local function find()
  local considered, met = {}, {}
  add_answered(take_list(), considered, met)
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
