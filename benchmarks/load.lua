-- What wrk sends and how it reports: wrk -s load.lua URL -- METHOD ORIGIN BODY_BYTES
-- OPTIONS asks as a browser's preflight does. The result is one line of JSON.

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
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d, "p50": %d, "p99": %d}',
    summary.requests, summary.duration, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
