-- Minha Konta's checks for nginx: content type, credentials, address, account, signature over
-- canonical JSON, rate per address and minute, idempotency with replay, permission.
--
-- Written to be fast: OpenSSL by FFI, counters and replays in shared dictionaries, no module but
-- cjson and canonical.lua.

local ffi = require "ffi"
local bit = require "bit"
local cjson = require "cjson"

ffi.cdef [[
int CRYPTO_memcmp(const void *a, const void *b, size_t length);
unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);
const void *EVP_sha512(void);
unsigned char *HMAC(const void *kind, const void *key, int key_length, const unsigned char *data,
                    size_t length, unsigned char *digest, unsigned int *digest_length);
unsigned char *ngx_hex_dump(unsigned char *out, const unsigned char *in, size_t length);
]]

local C = ffi.C
local byte, find, format = string.byte, string.find, string.format
local lower, sub = string.lower, string.sub
local concat, sort = table.concat, table.sort
local decode = cjson.decode
local canonical = require("canonical")
local ngx = ngx
local var, req, now = ngx.var, ngx.req, ngx.now
local windows, replays = ngx.shared.windows, ngx.shared.replays

local KEEP_S, WINDOW_S, LONGEST_KEY = 86400, 60, 256
local SIGNED = { POST = true, PUT = true, PATCH = true }

local ROUTES = { ["POST /api/external/pix/cash-out"] = "transfer:write" }
local keys, limit, raw_first = {}, 0, false

local M = {}

-- --- start ---------------------------------------------------------------------------------------

local function network(text)
    local a, b, c, d, bits = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)/?(%d*)$")
    bits = tonumber(bits) or 32
    local mask = bits == 0 and 0 or bit.lshift(-1, 32 - bits)
    local number = bit.bor(bit.lshift(a, 24), bit.lshift(b, 16), bit.lshift(c, 8), d)
    return { mask, bit.band(number, mask) }
end

function M.start(path, most, raw)
    limit, raw_first = most, raw
    local file = assert(io.open(path))
    local given = decode(file:read("*a"))
    file:close()
    for route, permission in pairs(given.routes) do ROUTES[route] = permission end
    for _, one in ipairs(given.keys) do
        local key = { id = one.client_id, account = one.account_id, active = one.active,
                      digest = ngx.decode_base64(one.digest), networks = {}, permissions = {} }
        for number, text in ipairs(one.allowed) do key.networks[number] = network(text) end
        for _, permission in ipairs(one.permissions) do key.permissions[permission] = true end
        sort(one.permissions)
        key.listed = concat(one.permissions, ",")
        keys[key.id] = key
    end
end

-- --- cryptography --------------------------------------------------------------------------------

local sha512 = C.EVP_sha512()
local digest32 = ffi.new("unsigned char[32]")
local digest64 = ffi.new("unsigned char[64]")
local hex128 = ffi.new("unsigned char[128]")
local NOBODY = string.rep("\0", 32)

local function right_secret(key, secret)
    C.SHA256(secret, #secret, digest32)
    local same = C.CRYPTO_memcmp(digest32, key and key.digest or NOBODY, 32) == 0
    return same and key ~= nil
end

local function right_signature(secret, text, given)
    C.HMAC(sha512, secret, #secret, text, #text, digest64, nil)
    C.ngx_hex_dump(hex128, digest64, 64)
    return C.CRYPTO_memcmp(hex128, given, 128) == 0
end

-- --- checks --------------------------------------------------------------------------------------

local function refuse(status, body)
    ngx.status = status
    ngx.header["content-length"] = #body
    ngx.print(body)
    return ngx.exit(status)
end

local function shape1(status, message)
    return refuse(status, format('{"error":{"status":%d,"message":"%s"}}', status, message))
end

local function detail(status, message)
    return refuse(status, format('{"worked":false,"detail":"%s"}', message))
end

local function credentials(header)
    local scheme, rest = header:match("^(%a+) +(.+)$")
    if not scheme then return end
    scheme = lower(scheme)
    if scheme == "basic" then rest = ngx.decode_base64(rest) elseif scheme ~= "apikey" then return end
    local colon = rest and find(rest, ":", 1, true)
    if colon then return sub(rest, 1, colon - 1), sub(rest, colon + 1) end
end

local function allowed(key, packed)
    if #packed ~= 4 then return false end
    local a, b, c, d = byte(packed, 1, 4)
    local number = bit.bor(bit.lshift(a, 24), bit.lshift(b, 16), bit.lshift(c, 8), d)
    local networks = key.networks
    for at = 1, #networks do
        if bit.band(number, networks[at][1]) == networks[at][2] then return true end
    end
    return false
end

local function body_text()
    req.read_body()
    local body = req.get_body_data()
    if body then return body end
    local path = req.get_body_file()
    if not path then return end
    local file = assert(io.open(path, "rb"))
    body = file:read("*a")
    file:close()
    return body
end

-- Gives the status and the text of a refusal, or nothing.
local function signature(secret)
    local given = var.http_hmac
    if not given then return 401, "Missing HMAC header" end
    local body = body_text()
    if not body or body == "" then return 400, "Request body is required for HMAC validation" end
    local valid, value = pcall(decode, body)
    if not valid then return 400, "Request body must be valid JSON for HMAC validation" end
    if #given == 128 then
        given = lower(given)
        if raw_first and right_signature(secret, body, given) then return end
        if right_signature(secret, canonical(value), given) then return end
    end
    return 401, "Invalid HMAC signature"
end

local function replay(kept, idempotency_key, remaining)
    local line = find(kept, "\n", 1, true)
    local second = find(kept, "\n", line + 1, true)
    local body = sub(kept, second + 1)
    ngx.status = tonumber(sub(kept, 1, line - 1))
    ngx.header["content-type"] = sub(kept, line + 1, second - 1)
    ngx.header["content-length"] = #body
    ngx.header["x-idempotent-replay"] = "true"
    ngx.ctx.remaining, ngx.ctx.echo = remaining, idempotency_key
    ngx.print(body)
    return ngx.exit(ngx.status)
end

function M.access()
    local method = req.get_method()
    if SIGNED[method] then
        local kind = lower((var.content_type or ""):match("^[^; ]*"))
        if kind ~= "application/json" and kind ~= "multipart/form-data" then
            return refuse(415, '{"error":{"status":415,"message":"Unsupported Media Type. '
                .. 'Expected Content-Type: application/json","hint":"Add header: '
                .. "-H 'Content-Type: application/json'\"}}")
        end
    end

    local id, secret = credentials(var.http_authorization or "")
    if not id then
        return shape1(401, "Missing API key credentials. "
            .. "Use Authorization: ApiKey <client_id>:<client_secret>")
    end
    local key = keys[id]
    if not right_secret(key, secret) then return shape1(401, "Invalid API key credentials") end
    if not key.active then return shape1(401, "API key is inactive") end

    local packed = var.binary_remote_addr
    if not allowed(key, packed) then
        return shape1(403, "Request IP not in API key whitelist")
    end

    if SIGNED[method] then
        local status, text = signature(secret)
        if status then return detail(status, text) end
    end

    local window = packed .. math.floor(now() / WINDOW_S)
    local hits = windows:incr(window, 1, 0, WINDOW_S + 1)
    if hits > limit then
        ngx.header["retry-after"] = "60"
        return shape1(429, "Too many requests. Please try again later.")
    end
    local remaining = limit - hits

    local idempotency_key = method == "POST" and var.http_idempotency_key or ""
    if #idempotency_key > LONGEST_KEY then
        return shape1(400, "Idempotency-Key must be at most 256 characters")
    end

    local path = var.uri
    local permission = ROUTES[method .. " " .. path]
    if not permission then return refuse(404, '{"errors":{"not_found":"Route not found"}}') end
    if not key.permissions[permission] then
        return refuse(403, '{"error":"forbidden","message":"API key lacks permission: '
            .. permission .. '"}')
    end

    local context = ngx.ctx
    if idempotency_key ~= "" then
        local scope = concat({ key.account, method, path, idempotency_key }, "\n")
        local added, why = replays:add(scope, "", KEEP_S)
        if not added then
            if why ~= "exists" then return shape1(503, "Service temporarily unavailable.") end
            local kept = replays:get(scope)
            if kept and kept ~= "" then return replay(kept, idempotency_key, remaining) end
            return shape1(409, "A request with this Idempotency-Key is still being processed")
        end
        context.scope, context.echo = scope, idempotency_key
    end
    context.remaining = remaining
    var.guarita_account = key.account
    var.guarita_key = id
    var.guarita_permissions = key.listed
end

-- --- the response --------------------------------------------------------------------------------

function M.header()
    local context, header = ngx.ctx, ngx.header
    header["ray-id"] = var.request_id
    if context.echo then header["idempotency-key"] = context.echo end
    local status = ngx.status
    if context.remaining and status >= 200 and status < 300 then
        header["x-ratelimit-remaining"] = context.remaining
    end
    if context.scope then
        if status >= 200 and status < 300 then
            context.chunks = ""
            context.kept = status .. "\n" .. (header["content-type"] or "") .. "\n"
        elseif status ~= 502 and status ~= 504 then
            replays:delete(context.scope)  -- an error answer: a retry may execute
        end
    end
end

function M.body()
    local context = ngx.ctx
    local chunks = context.chunks
    if not chunks then return end
    chunks = chunks .. ngx.arg[1]
    context.chunks = chunks
    if ngx.arg[2] then
        replays:set(context.scope, context.kept .. chunks, KEEP_S)
        context.chunks = nil
    end
end

return M
