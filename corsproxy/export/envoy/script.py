"""The Lua script. It is the same for every file and contains nothing of the file."""

from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM

_BOUND = ", ".join(f'["{name.decode("ascii")}"] = true' for name in sorted(BOUND_TO_THE_UPSTREAM))

SCRIPT = (
    f"local BOUND = {{{_BOUND}}}\n"
    """\
-- What routes cannot do: recognize pages of this host, and map the upstream's links and cookies
-- to this host. The parameters of each route are in its metadata.
local COOKIE_PREFIXES = {"__host-", "__secure-", "__http-"}

local function starts(text, prefix)
  return text:sub(1, #prefix) == prefix
end

local function trimmed(text)
  return (text:gsub("^[ \\t]+", ""):gsub("[ \\t]+$", ""))
end

local function without_port(host, port)
  if host:sub(-#port) == port then return host:sub(1, -#port - 1) end
  return host
end

local function is_own(origin, host, scheme, site)
  if site then return site == "same-origin" or site == "none" end
  if not origin then return false end
  host = host:lower()
  if origin == "https://" .. without_port(host, ":443") then return true end
  return scheme == "http" and origin == "http://" .. without_port(host, ":80")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local origin, host = headers:get("origin"), headers:get(":authority") or ""
  local scheme = handle:streamInfo():downstreamSslConnection() and "https" or "http"
  local known = handle:streamInfo():dynamicMetadata()
  known:set("corsproxy", "self", scheme .. "://" .. host)
  known:set("corsproxy", "scheme", scheme)
  known:set("corsproxy", "origin", origin or "")
  known:set("corsproxy", "upgrade", headers:get("upgrade") or "")
  known:set("corsproxy", "destination", headers:get("sec-fetch-dest") or "")
  if is_own(origin, host, scheme, headers:get("sec-fetch-site")) then
    known:set("corsproxy", "own", "yes")
  end
  local dropped = {}
  for name in pairs(headers) do
    local forwarding = starts(name, "x-forwarded-") or name == "forwarded" or name == "x-real-ip"
    -- Envoy finds no route without it; the routes remove it.
    if forwarding and name ~= "x-forwarded-proto" then
      dropped[#dropped + 1] = name
    end
  end
  for _, name in ipairs(dropped) do headers:remove(name) end
  handle:clearRouteCache()
  local page = handle:metadata():get("page")
  local referer = headers:get("referer")
  if page and origin and referer and starts(referer, origin) then
    local rest = referer:sub(#origin + 1)
    if rest == "" or rest:find("^[/?]") then
      headers:replace("referer", page .. (rest == "" and "/" or rest))
    end
  end
end

-- A URL's scheme, authority, path, and what follows; no authority for a path alone.
local function parted(url)
  local scheme, authority, rest = url:match("^(%a*):?//([^/?#\\\\]*)(.*)$")
  if not authority then
    if not url:find("^/") or url:find("^/[/\\\\]") then return nil end
    scheme, authority, rest = "", nil, url
  end
  local path, tail = rest:match("^([^?#]*)(.*)$")
  return scheme:lower(), authority and authority:gsub("^.*@", ""):lower(), path, tail
end

local function mapped(url, rules, self)
  local scheme, authority, path, tail = parted(url)
  if not path then return url end
  for _, rule in ipairs(rules) do
    local same = rule.authority == nil and authority == nil
    if rule.authority and authority then
      local own = scheme == "" and rule.own_scheme or scheme
      local default = own == "https" and ":443" or ":80"
      local known = own == rule.scheme or own == "http" and rule.scheme == "https"
      same = known and without_port(authority, default) == rule.authority
    end
    local rest = path:sub(#rule.there + 1)
    if same and starts(path, rule.there) and (rest == "" or starts(rest, "/")) then
      local here = rule.here .. rest
      if authority == nil and here == path then return url end
      return self .. (here == "" and "/" or here) .. tail
    end
  end
  return url
end

local function is_prefixed(name)
  name = name:lower()
  for _, prefix in ipairs(COOKIE_PREFIXES) do
    if starts(name, prefix) then return true end
  end
  return false
end

local function path_here(path, rule)
  if not starts(path, "/") or path == "/" then return path end
  local rest = path:sub(#rule.there + 1)
  if not starts(path, rule.there) or (rest ~= "" and not starts(rest, "/")) then return "/" end
  local here = rule.here .. rest
  return here == "" and "/" or here
end

local function cookie(value, rule, scheme)
  local pair, rest = value:match("^([^;]*)(.*)$")
  local name = trimmed(pair:match("^([^=]*)"))
  local insecure = scheme == "http" and not is_prefixed(name)
  local maps = (rule.there ~= "" or rule.here ~= "") and not starts(name:lower(), "__host-")
  local kept = {pair}
  for attribute in rest:gmatch(";([^;]*)") do
    local written, argument = attribute:match("^([^=]*)=?(.*)$")
    local what = trimmed(written):lower()
    if insecure and what == "samesite" and trimmed(argument):lower() == "none" then
      attribute = written .. "=Lax"
    elseif maps and what == "path" then
      attribute = written .. "=" .. path_here(trimmed(argument), rule)
    end
    local gone = what == "domain" or insecure and (what == "secure" or what == "partitioned")
    if not gone then kept[#kept + 1] = attribute end
  end
  return table.concat(kept, ";")
end

local function varies(headers)
  for index = 0, headers:getNumValues("vary") - 1 do
    for member in headers:getAtIndex("vary", index):gmatch("[^,]+") do
      member = trimmed(member):lower()
      if member == "origin" or member == "*" then return true end
    end
  end
  return false
end

local function names(headers)
  local found, listed = {}, {}
  for name in pairs(headers) do
    if not listed[name] and not starts(name, ":") and not starts(name, "access-control-") then
      listed[name] = true
      found[#found + 1] = name
    end
  end
  return table.concat(found, ", ")
end

function envoy_on_response(handle)
  local route, headers = handle:metadata(), handle:headers()
  local known = handle:streamInfo():dynamicMetadata():get("corsproxy")
  if not known then return end
  if known.upgrade ~= "" and not route:get("passthrough") then
    -- A response that refuses an upgrade bypasses what routes remove; no page reads it.
    local dropped = {}
    for name in pairs(headers) do
      if starts(name, "access-control-") or BOUND[name] then dropped[#dropped + 1] = name end
    end
    for _, name in ipairs(dropped) do headers:remove(name) end
  end
  if route:get("links") then
    for _, name in ipairs({"location", "content-location"}) do
      local url = headers:get(name)
      if url then headers:replace(name, mapped(url, route:get("links"), known.self)) end
    end
  end
  if route:get("cookies") and headers:getNumValues("set-cookie") > 0 then
    local kept = {}
    for index = 0, headers:getNumValues("set-cookie") - 1 do
      local value = headers:getAtIndex("set-cookie", index)
      kept[#kept + 1] = cookie(value, route:get("cookies"), known.scheme)
    end
    headers:remove("set-cookie")
    for _, value in ipairs(kept) do headers:add("set-cookie", value) end
  end
  local sandbox = route:get("sandbox")
  if sandbox and sandbox[known.destination] then
    headers:add("content-security-policy", sandbox[known.destination])
  end
  if route:get("varies") and not varies(headers) then headers:add("vary", "Origin") end
  if route:get("exposes") then
    headers:replace("access-control-expose-headers", names(headers))
  end
end
"""
)
