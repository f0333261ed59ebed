-- What a put reads and writes; goes on from redis.lua.

-- write: request, answer, at, mark, what was considered, how the mutes stood (-: it does not matter),
-- what becomes of them as JSON (or empty), advances, changes, creations, and tickets that replies
-- are about and that the caller does not know -----------------------------------------

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

-- New tickets: what decides of all of them as one JSON list, then what is only kept of each.
local function take_creations()
  local creations = cjson.decode(take())
  for _, new in ipairs(creations) do
    new.s, new.doc, new.event = take(), take(), take()
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
      change.hand_over, change.author = take(), take()
      change.history, change.events = take_list(), take_list()
      change.shared, change.length = tonumber(take()), take()
      change.window, change.keys = tonumber(take()), take_list()
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

-- By which keys copies find tickets. A hash a day: to read, write and let go of many keys at once
-- costs little of what they cost alone. A key that is written takes along what it led to before, so
-- that the newest day that has it tells all.
local DAY = 86400
local KEYS_REST = 3 * DAY -- so long after no window reaches them they go by themselves
local buckets = {} -- what was read, by key; the tickets newest first, each with its length

local function keys_of_day(day) return key('keys', number(day)) end

local function today() return math.floor(redis.call('TIME')[1] / DAY) end

-- Reads some keys of a day; gives those that it does not have.
local function read_keys(names, day)
  local missing = {}
  if redis.call('HLEN', keys_of_day(day)) == 0 then return names end
  for from = 1, #names, AT_ONCE do
    local till = math.min(from + AT_ONCE - 1, #names)
    local found = redis.call('HMGET', keys_of_day(day), unpack(names, from, till))
    for i = 1, till - from + 1 do
      local name = names[from + i - 1]
      if found[i] then buckets[name] = found[i] else missing[#missing + 1] = name end
    end
  end
  return missing
end

local function load_buckets(tickets)
  local missing, window = {}, 0
  for _, new in ipairs(tickets) do
    for _, name in ipairs(new.keys or {}) do
      if not buckets[name] then
        buckets[name] = ''
        missing[#missing + 1] = name
      end
    end
    if (new.window or 0) > window then window = new.window end
  end
  local day = #missing > 0 and today()
  for back = 0, math.ceil(window / DAY) do
    if #missing == 0 then return end
    missing = read_keys(missing, day - back)
  end
end

-- Names how things stand with all keys: a write after which copies find more renames it.
local function standing() return redis.call('GET', key('registered')) or '' end

local changed, longest = {}, 0 -- keys to be written, and for how many seconds
local function register(new)
  local own, entry = new.id .. '/', new.id .. '/' .. new.length
  if #new.keys > 0 and new.window > longest then longest = new.window end
  for _, name in ipairs(new.keys) do
    local ids, before = entry, buckets[name]
    if before ~= '' then
      local count = 1
      for other in string.gmatch(before, '%S+') do
        if count < BUCKET and string.sub(other, 1, #own) ~= own then
          ids, count = ids .. ' ' .. other, count + 1
        end
      end
    end
    buckets[name], changed[name] = ids, true
  end
end

local function write_keys(request)
  if not next(changed) then return end
  local day, pairs_of = today(), {}
  local function flush()
    redis.call('HSET', keys_of_day(day), unpack(pairs_of))
    pairs_of = {}
  end
  for name in pairs(changed) do
    pairs_of[#pairs_of + 1], pairs_of[#pairs_of + 2] = name, buckets[name]
    if #pairs_of >= AT_ONCE then flush() end
  end
  if #pairs_of > 0 then flush() end
  redis.call('ZADD', key('keydays'), 'GT', (day + 1) * DAY + longest, number(day))
  -- `sweep` lets go of them, without a pause; this is for where nobody sweeps.
  local due = redis.call('ZSCORE', key('keydays'), number(day))
  redis.call('EXPIREAT', keys_of_day(day), number(tonumber(due) + KEYS_REST))
  redis.call('SET', key('registered'), request)
end

-- Lets go of days that no window reaches any more.
local function forget_keys()
  local now = redis.call('TIME')[1]
  for _, day in ipairs(redis.call('ZRANGEBYSCORE', key('keydays'), '-inf', now)) do
    redis.call('UNLINK', key('keys', day))
    redis.call('ZREM', key('keydays'), day)
  end
end

-- Whether two texts can be near by their lengths (triage/bundle/signature.py and compare.py).
local ONE_IN = 5
local ANY_LENGTH = '0/0'
local function lengths_fit(a, b)
  if a == ANY_LENGTH or b == ANY_LENGTH then return true end
  local a_heavy, a_all = string.match(a, '^(%d+)/(%d+)$')
  local b_heavy, b_all = string.match(b, '^(%d+)/(%d+)$')
  if not (a_heavy and b_heavy) then return true end -- of another version: no reason to stop
  return math.abs(a_heavy - b_heavy) * ONE_IN <= math.max(a_all, b_all)
end

-- The tickets that are worth a comparison with a new one, the likeliest first, and how many keys
-- they share with it; its first key, which names the whole text, counts for more than all others.
local EQUAL = 1000
local CANDIDATES = 4
local function likely(new)
  local hits, entries = {}, {}
  for i, name in ipairs(new.keys) do
    if buckets[name] ~= '' then
      for entry in string.gmatch(buckets[name], '%S+') do
        if not hits[entry] then entries[#entries + 1] = entry end
        hits[entry] = (hits[entry] or 0) + (i == 1 and EQUAL or 1)
      end
    end
  end
  local ids, shared = {}, {}
  for _, entry in ipairs(entries) do
    if hits[entry] >= new.shared then
      local id, length = string.match(entry, '^([^/]+)/(.+)$')
      if id and (hits[entry] >= EQUAL or lengths_fit(new.length, length)) then
        ids[#ids + 1], shared[id] = id, hits[entry]
      end
    end
  end
  table.sort(ids, function(a, b)
    if shared[a] ~= shared[b] then return shared[a] > shared[b] end
    return a < b
  end)
  while #ids > CANDIDATES and shared[ids[#ids]] < EQUAL do ids[#ids] = nil end
  return ids, shared
end

-- Adds a ticket as it stands, and the bundle that it is inside.
local loaded = {}
local function add_met(met, id)
  if loaded[id] then return end
  loaded[id] = true
  local ticket = read(id, true)
  met[#met + 1] = ticket
  if (ticket[10] or '') ~= '' then add_met(met, ticket[10]) end
end

-- Adds the tickets that the arguments left name, where there are such: replies are about them.
local function add_replied_to(met)
  while ARGV[at + 1] do
    local id = take()
    if redis.call('EXISTS', key('ticket', id)) == 1 then add_met(met, id) end
  end
end

-- Adds the tickets that a new one may be a copy of to `met`, and how many keys they share to
-- `alike`, unless the caller has compared it with all of them.
local function add_lookalikes(new, considered, met, alike)
  local ids, hits = likely(new)
  if #ids == 0 then return end
  local known = considered[new.id] or {}
  local row, news = { new.id }, false
  for _, id in ipairs(ids) do
    row[#row + 1], row[#row + 2] = id, hits[id]
    if not known[id] then
      news = true
      add_met(met, id)
    end
  end
  if news then alike[#alike + 1] = row end
end

-- Leaves repeats out of `creations`, unless something changes, which may be by them; gives the
-- tickets that are not as the caller read them, and the look-alikes that it has not compared. Since `mark` there may be none that it does not know.
local function compare(creations, changes, considered, mark)
  load_buckets(creations)
  load_buckets(changes)
  local looked = mark ~= '' and standing() == mark
  local fresh, met, alike = {}, {}, {}
  for _, new in ipairs(creations) do
    local stands = redis.call('HMGET', key('ticket', new.id), 'v', 'seen')
    if not stands[1] then
      fresh[#fresh + 1] = new
      probe(new.team, new.rank)
      if not looked and new.within == '' then add_lookalikes(new, considered, met, alike) end
    elseif #changes > 0 or new.within ~= '' or
        not string.find(stands[2] or '', new.digest, 1, true) then
      add_met(met, new.id)
    end
  end
  for _, change in ipairs(changes) do
    local stands = redis.call('HMGET', key('ticket', change.id), 'v', 'by')
    local v = stands[1] or '0'
    redis.call('LLEN', key('history', change.id))
    if v ~= change.version then
      add_met(met, change.id)
    elseif change.kind ~= 'check' then
      if change.from_team ~= '' then probe(change.from_team, change.from_rank) end
      if change.to_team ~= '' then probe(change.to_team, change.to_rank) end
      change.was = stands[2] or ''
      if change.author == SAME then change.author = change.was end
      redis.call('ZCARD', key('author', change.was))
      redis.call('ZCARD', key('author', change.author))
      if not looked and v == '0' then add_lookalikes(change, considered, met, alike) end
    end
  end
  return fresh, met, alike
end

-- Lets the author of a resolved ticket find it again, or no longer.
local function note_author(change)
  if change.was ~= '' then
    redis.call('ZREM', key('author', change.was), change.id)
    redis.call('HDEL', key('ticket', change.id), 'by')
  end
  if change.author ~= '' then
    local noted = key('author', change.author)
    redis.call('HSET', key('ticket', change.id), 'by', change.author)
    redis.call('ZADD', noted, change.resolved, change.id)
    redis.call('ZREMRANGEBYRANK', noted, 0, -NOTED_LIMIT - 1)
  end
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
  register(change)
  if change.from_team ~= '' then dequeue(change.id, change.from_team, change.from_rank) end
  if change.to_team ~= '' then
    enqueue({ { id = change.id, team = change.to_team, rank = change.to_rank, due = change.due } })
    redis.call('SADD', key('teams'), change.to_team)
  end
  if change.resolved ~= '0' then
    redis.call('HSET', ticket, 'done', 1)
    redis.call('ZADD', key('resolved'), change.resolved, change.id)
  else
    redis.call('ZREM', key('resolved'), change.id)
  end
  if change.author ~= change.was then note_author(change) end
  if change.hand_over ~= '' then
    redis.call('ZADD', key('handovers'), change.resolved, change.id)
    redis.call('HSET', key('handing'), change.id,
      change.v .. ' 0 ' .. change.resolved .. ' ' .. change.hand_over)
  end
  if change.kind == 'rewrite' then redis.call('DEL', key('history', change.id)) end
  push_history(change.id, change.history)
end

local function write()
  local request, answer, now, mark = take(), take(), take(), take()
  local earlier = earlier_answer(request)
  if earlier then return { 'again', earlier } end
  local considered, mutes_mark, mutes = cjson.decode(take()), take(), take()
  local advances = take_advances()
  local changes, creations = take_changes(), take_creations()
  probe_common()
  mutes = mutes ~= '' and probe_mutes(mutes)
  local unheard = mutes_mark ~= '-' and mutes_mark ~= muting()
  local moved = moved_positions(advances)
  local fresh, met, alike = compare(creations, changes, considered, mark)
  add_replied_to(met)
  if #moved > 0 or #met > 0 or #alike > 0 or unheard then
    return { 'stale', moved, alike, met, unheard and mutes_now() or {} }
  end

  local events, queued, teams = {}, {}, {}
  for _, new in ipairs(fresh) do
    redis.call('HSET', key('ticket', new.id), 'v', 1, 's', new.s, 'doc', new.doc,
      'seen', new.digest)
    if new.within == '' then
      queued[#queued + 1] = new
      teams[new.team] = true
      register(new)
    else
      redis.call('HSET', key('ticket', new.id), 'w', new.within)
      redis.call('SADD', key('members', new.within), new.id)
    end
    events[#events + 1] = new.event
  end
  enqueue(queued)
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
  write_keys(request)
  if mutes then write_mutes(mutes, now) end
  remember(request, repeated .. ' ' .. answer)
  return { 'done', repeated }
end

-- find: new posts as a JSON list, with what `write` gets of them to find copies by; and the tickets
-- that replies are about ---------------------------------------------------------------------------

local function find()
  local new, met, alike = cjson.decode(take()), {}, {}
  load_buckets(new)
  for _, post in ipairs(new) do add_lookalikes(post, {}, met, alike) end
  add_replied_to(met)
  return { standing(), alike, met }
end
