-- wrk -s wrk.lua URL -- ORIGIN: every answer must be whole, and made by one version of the file.
-- The result is one line of JSON.

local threads = {}
mixed, other = 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  wrk.headers["Origin"] = arguments[1]
end

function response(status, headers, body)
  local version = headers["X-Version"]
  if status ~= 200 then
    other = other + 1
  elseif body ~= version or headers["Access-Control-Expose-Headers"] ~= "x-version, x-v" .. version then
    mixed = mixed + 1
  end
end

function done(summary, latency)
  local mixed, other = 0, 0
  for _, thread in ipairs(threads) do
    mixed, other = mixed + thread:get("mixed"), other + thread:get("other")
  end
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.3f, "lost": %d, "failed": %d, "mixed": %d, "p50": %d, "p99": %d, "most": %d}',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
    other, mixed, latency:percentile(50), latency:percentile(99), latency.max))
end
