-- What wrk sends and how it reports: wrk -s load.lua URL -- METHOD ORIGIN BODY_BYTES VARIED
-- OPTIONS asks as a browser's preflight does. VARIED is how many requests there are that all
-- differ; 0 for one that is sent again and again. The result is one line of JSON.

function init(arguments)
  wrk.method = arguments[1]
  wrk.headers["Origin"] = arguments[2]
  if wrk.method == "OPTIONS" then
    wrk.headers["Access-Control-Request-Method"] = "PUT"
    wrk.headers["Access-Control-Request-Headers"] = "authorization,content-type"
  end
  local size = tonumber(arguments[3])
  if size > 0 then
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("\0", size)
  end
  local varied = tonumber(arguments[4])
  if varied > 0 then
    vary(varied)
  end
end

-- Each with another query and another X-Correlation-Id. They are written before the load
-- starts, so that it costs no more to send them than the same one.
function vary(count)
  local requests = {}
  for number = 1, count do
    wrk.headers["X-Correlation-Id"] = string.format(
      "%08x-%04x-4%03x-a%03x-%012x", math.random(0, 0x7fffffff), math.random(0, 0xffff),
      math.random(0, 0xfff), math.random(0, 0xfff), number)
    requests[number] = wrk.format(nil, string.format(
      "%s?page=%d&per_page=20&cursor=%08x", wrk.path, number, math.random(0, 0x7fffffff)))
  end
  local last = 0
  -- wrk asks a script for each request where it has a function of this name.
  function request()
    last = last % count + 1
    return requests[last]
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d, "p50": %d, "p99": %d}',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
