-- Reads the versions of tags, making those that are missing, and the answers.
-- KEYS: the tags, then the answers. ARGV: how many tags, a new version, how long versions live in seconds.
local tags = tonumber(ARGV[1])
local versions = {}
for i = 1, tags do
    local version = redis.call('GETEX', KEYS[i], 'EX', ARGV[3])
    if not version then
        version = ARGV[2]
        redis.call('SET', KEYS[i], version, 'EX', ARGV[3])
    end
    versions[i] = version
end
local answers = {}
for i = tags + 1, #KEYS do
    answers[i - tags] = redis.call('GET', KEYS[i])
end
return {versions, answers}
