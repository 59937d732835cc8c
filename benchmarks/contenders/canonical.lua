-- The canonical text of what cjson has read: members sorted at every depth, no blanks, only what
-- must be escaped.
--
-- What cjson cannot tell apart stays so: a member given twice (the last one counts), an empty
-- object and an empty list, numbers beyond a double's precision.

local cjson = require "cjson"

local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local concat, sort = table.concat, table.sort

local SHORT = { ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n',
                ['\r'] = '\\r', ['\t'] = '\\t' }

local function escaped(character)
    return SHORT[character] or format("\\u%04X", byte(character))
end

local function write(value, out, at)
    local kind = type(value)
    if kind == "string" then
        if find(value, '[%c"\\]') then value = gsub(value, '[%z\1-\31"\\]', escaped) end
        out[at], out[at + 1], out[at + 2] = '"', value, '"'
        return at + 3
    end
    if kind ~= "table" then
        if kind == "number" then
            out[at] = value % 1 == 0 and format("%.0f", value) or format("%.15g", value)
        else
            out[at] = kind == "boolean" and tostring(value) or "null"
        end
        return at + 1
    end
    if value[1] ~= nil then
        out[at] = "["
        at = at + 1
        for number = 1, #value do
            if number > 1 then out[at] = ","; at = at + 1 end
            at = write(value[number], out, at)
        end
        out[at] = "]"
        return at + 1
    end
    local names, count = {}, 0
    for name in pairs(value) do
        count = count + 1
        names[count] = name
    end
    sort(names)
    out[at] = "{"
    at = at + 1
    for number = 1, count do
        if number > 1 then out[at] = ","; at = at + 1 end
        at = write(names[number], out, at)
        out[at] = ":"
        at = write(value[names[number]], out, at + 1)
    end
    out[at] = "}"
    return at + 1
end

return function(value)
    local out = {}
    write(value, out, 1)
    return concat(out)
end
