-- What wrk asks for:  wrk … -s load.lua URL -- any FIRST LAST          items at random
--                     wrk … -s load.lua URL -- each FIRST LAST START   items in order, each once until all have been
-- Prints one line of JSON when it is done. Times are in microseconds.

local THREADS = 2 -- as many as wrk is started with
local made = {}
local started = 0

function setup(thread)
   thread:set("index", started)
   started = started + 1
end

local function ask(id)
   return "GET /items/" .. id .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
end

function init(args)
   local kind, first, last = args[1], tonumber(args[2]), tonumber(args[3])
   if kind == "any" then
      math.randomseed(os.time() * THREADS + index)
      request = function()
         local id = math.random(first, last)
         local text = made[id]
         if not text then
            text = ask(id)
            made[id] = text
         end
         return text
      end
   else
      local next = tonumber(args[4]) + index
      request = function()
         local id = next
         next = id + THREADS
         if next > last then
            next = next - last + first - 1
         end
         return ask(id)
      end
   end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout))
end
