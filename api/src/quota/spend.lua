-- Spends from all buckets or from none. KEYS: the buckets. ARGV: the time and the window in microseconds, the quota
-- of a window, the cost. Returns whether it was spent, then of each bucket what is spent and as of when.
-- The arithmetic is that of `Level` in quota/mod.rs. Numbers are doubles: exact for all that is kept (< 2^53).
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit, cost = tonumber(ARGV[3]), tonumber(ARGV[4])
local spent, at, allowed = {}, {}, 1
for i, key in ipairs(KEYS) do
  spent[i], at[i] = 0, now
  local s, a = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  s, a = math.min(tonumber(s or 0), limit), tonumber(a or now)
  -- Something else, or a clock that is beyond all reason: as if there was nothing.
  if a <= now + window and s > 0 then
    local back = 0
    if a < now then
      back = math.floor(math.min(now - a, window) * limit / window)
    end
    if back < s then
      spent[i] = s - back
      at[i] = a + math.ceil(back * window / limit)
    end
  end
  if spent[i] + cost > limit then
    allowed = 0
  end
end
local answer = { allowed }
for i, key in ipairs(KEYS) do
  if allowed == 1 and cost > 0 then
    spent[i] = spent[i] + cost
    -- Once it is full again it says nothing. At least a millisecond, for zero is an error.
    local full = at[i] - now + math.ceil(spent[i] * window / limit)
    redis.call('SET', key, string.format('%.0f:%.0f', spent[i], at[i]), 'PX', math.max(1, math.ceil(full / 1000)))
  end
  answer[#answer + 1] = spent[i]
  answer[#answer + 1] = at[i]
end
return answer
