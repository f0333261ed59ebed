-- What people do, lists, events and care; goes on from redis_put.lua.

-- claim: request, ticket (empty: the first free one of the team), team, now, until, owner,
-- owner as JSON, history item, request hash -------------------------------------------------------

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
  local earlier = earlier_answer(request)
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

-- get: request, ticket, versions of its members as known, by id (null: without members). list: team,
-- offset, limit. stats: now -----------------------------------------------------------------------

-- Gives the members that are new or changed, and the ids of those that are gone.
local function members_since(id, known)
  local new, gone = {}, {}
  for _, member in ipairs(redis.call('SMEMBERS', key('members', id))) do
    if known[member] ~= redis.call('HGET', key('ticket', member), 'v') then
      new[#new + 1] = read(member, false)
    end
    known[member] = nil
  end
  for member in pairs(known) do gone[#gone + 1] = member end
  return new, gone
end

local function get()
  local request, id, known = take(), take(), cjson.decode(take())
  local tickets, new, gone = { read(id, true) }, {}, {}
  if (tickets[1][10] or '') ~= '' then tickets[2] = read(tickets[1][10], true) end
  if known ~= cjson.null then new, gone = members_since(id, known) end
  return { earlier_answer(request), tickets, new, gone }
end

-- members: ticket, which ones (copies, replies, all), offset, limit. Gives the ticket, its copies of
-- that page, all its replies where they come after those, and how far the page is among these. Only
-- what is given is read whole: nothing else happens meanwhile.
local REPLY = ',1]' -- what decides of a reply ends with this, of others with a time or 0

local function members()
  local id, which, start, limit = take(), take(), tonumber(take()), tonumber(take())
  local copies, replies, page = {}, {}, {}
  for _, member in ipairs(redis.call('SMEMBERS', key('members', id))) do
    local s = redis.call('HGET', key('ticket', member), 's') or ''
    local group = string.sub(s, -#REPLY) == REPLY and replies or copies
    group[#group + 1] = member
  end
  if which == 'replies' then copies = {} end
  table.sort(copies)
  for i = start + 1, math.min(start + limit, #copies) do
    page[#page + 1] = read(copies[i], false)
  end
  if which ~= 'copies' and start + limit > #copies then
    for _, member in ipairs(replies) do page[#page + 1] = read(member, false) end
  end
  return { read(id, false), page, math.max(0, start - #copies) }
end

-- documents: cursor of a scan, an author's id as JSON. Gives the next cursor (0: that was all) and
-- the documents of that page that name it.
local function documents()
  local cursor, named = take(), take()
  local page = redis.call('SCAN', cursor, 'MATCH', key('ticket', '*'), 'COUNT', 500)
  local found = {}
  for _, ticket in ipairs(page[2]) do
    local doc = redis.call('HGET', ticket, 'doc')
    if doc and string.find(doc, named, 1, true) then found[#found + 1] = doc end
  end
  return { page[1], found }
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
-- that ids are remembered, most tickets, most posts in them ---------------------------------------

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
  redis.call('HDEL', ticket, 'doc', 'done', 'owner', 'token', 'until', 'b', 'by')
  redis.call('HSET', ticket, 'gone', 1)
  redis.call('EXPIRE', ticket, seconds)
end

local function forget_mutes(horizon)
  local mutes = redis.call('HGETALL', key('mutes'))
  for i = 1, #mutes, 2 do
    if cjson.decode(mutes[i + 1]).over < horizon then
      redis.call('HDEL', key('mutes'), mutes[i])
      redis.call('UNLINK', key('taken', mutes[i]))
    end
  end
end

-- mutes: gives each, and how many tickets it took. keep_mute: a change as `write` gets it
local function mutes()
  local found = {}
  for _, mute in ipairs(redis.call('HVALS', key('mutes'))) do
    found[#found + 1] = { mute, redis.call('ZCARD', key('taken', cjson.decode(mute).id)) }
  end
  return found
end

local function keep_mute()
  write_mutes(probe_mutes(take()), 0)
  return 1
end

-- Those resolved before a time, but for what is still on its way to another system.
local function old_tickets(horizon, limit)
  local old = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('resolved'), '-inf', '(' .. horizon,
      'LIMIT', 0, limit + redis.call('HLEN', key('handing')))) do
    if #old < limit and redis.call('HEXISTS', key('handing'), id) == 0 then old[#old + 1] = id end
  end
  return old
end

local function sweep()
  local resolved_before, outbox_before = take(), tonumber(take())
  local remember_seconds, limit, most = take(), tonumber(take()), tonumber(take())
  local dropped, posts = 0, 0
  for _, id in ipairs(old_tickets(resolved_before, limit)) do
    local members = redis.call('SMEMBERS', key('members', id))
    posts = posts + 1 + #members
    if dropped > 0 and posts > most then break end
    for _, member in ipairs(members) do forget(member, remember_seconds) end
    redis.call('DEL', key('members', id))
    local author = redis.call('HGET', key('ticket', id), 'by')
    if author then redis.call('ZREM', key('author', author), id) end
    forget(id, remember_seconds)
    redis.call('ZREM', key('resolved'), id)
    dropped = dropped + 1
  end
  trim_outbox(outbox_before)
  forget_keys()
  forget_mutes(tonumber(resolved_before))
  return dropped
end

-- take_hand_over: now, until. set_hand_over: ticket, version, when (empty: it is over) ------------

local function handing(id)
  return string.match(redis.call('HGET', key('handing'), id) or '', '^(%d+) (%d+) (%d+) (.*)$')
end

local function take_hand_over()
  local now, till = take(), take()
  local id = redis.call('ZRANGEBYSCORE', key('handovers'), '-inf', now, 'LIMIT', 0, 1)[1]
  if not id then return {} end
  local version, attempts, when, said = handing(id)
  if not version then
    redis.call('ZREM', key('handovers'), id)
    return {}
  end
  redis.call('ZADD', key('handovers'), till, id)
  redis.call('HSET', key('handing'), id,
    version .. ' ' .. number(tonumber(attempts) + 1) .. ' ' .. when .. ' ' .. said)
  return { id, version, attempts, when, said }
end

local function set_hand_over()
  local id, version, due = take(), take(), take()
  if handing(id) ~= version then return 0 end
  if due ~= '' then
    redis.call('ZADD', key('handovers'), due, id)
  else
    redis.call('ZREM', key('handovers'), id)
    redis.call('HDEL', key('handing'), id)
  end
  return 1
end

local commands = { take_hand_over = take_hand_over, set_hand_over = set_hand_over,
  write = write, find = find, claim = claim, get = get,
  members = members, documents = documents, list = list, stats = stats, published = published, sweep = sweep,
  mutes = mutes, keep_mute = keep_mute }
return commands[command]()
