-- Grants a process its part of one limit. KEYS[1] is a hash: a second of this server's clock -> an amount that may be
-- spent until that second begins, and that counts for as long as the window after it.
-- ARGV: limit, window and lease in seconds, an amount held whatever the limit, the amount wanted, the least that is of
-- use, and then pairs of a second and an amount of it that was not used.
local key = KEYS[1]
local limit, window, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local hold, want, least = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = second * 1000 + math.floor(tonumber(time[2]) / 1000)

for i = 7, #ARGV, 2 do
  if redis.call('HEXISTS', key, ARGV[i]) == 1 and redis.call('HINCRBY', key, ARGV[i], -ARGV[i + 1]) <= 0 then
    redis.call('HDEL', key, ARGV[i])
  end
end

local used, entries = 0, {}
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local ends = tonumber(all[i]) + window
  if ends <= second then
    redis.call('HDEL', key, all[i])
  else
    used = used + tonumber(all[i + 1])
    entries[#entries + 1] = { ends, tonumber(all[i + 1]) }
  end
end

local tick = second + lease
-- Near the limit a process is granted less than it wants, so that the others are left something.
local free = math.max(limit - used - hold, 0)
local granted = math.min(want, math.max(least, math.floor(free / 4)))
if want == 0 or free < least then granted = 0 end
if hold + granted > 0 then
  redis.call('HINCRBY', key, tick, hold + granted)
  redis.call('EXPIRE', key, window + lease + 5)
end

table.sort(entries, function(a, b) return a[1] < b[1] end)
local wait, left = window * 1000, used + hold
for _, entry in ipairs(entries) do
  left = left - entry[2]
  if left + least <= limit then
    wait = math.max(entry[1] * 1000 - now, 1)
    break
  end
end
local reset = 0
if hold + granted > 0 then
  reset = (tick + window) * 1000 - now
elseif #entries > 0 then
  reset = entries[#entries][1] * 1000 - now
end
return { granted, tick, tick * 1000 - now, free - granted, wait, reset }
