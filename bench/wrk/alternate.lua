-- Over one connection: a form that toggles an item, then GET /, and so on. Only the GETs are timed: no page is read twice in one state.
local ffi = require('ffi')
ffi.cdef [[ typedef struct { long s, ns; } holdfast_time; int clock_gettime(int clock, holdfast_time *ret); ]]
local clock = ffi.new('holdfast_time')
local function now()
    ffi.C.clock_gettime(1, clock)
    return tonumber(clock.s) + tonumber(clock.ns) * 1e-9
end

local form, page
local reading, from = true, 0
gets, seconds = 0, 0 -- global: read from outside when the thread has ended

local client
function setup(thread) client = thread end

function init()
    local headers = {['content-type'] = 'application/x-www-form-urlencoded', ['origin'] = wrk.scheme .. '://' .. wrk.headers['Host']}
    form = wrk.format('POST', os.getenv('TOGGLE'), headers, '')
    page = wrk.format('GET', '/')
end

function request()
    reading = not reading
    from = now()
    return reading and page or form
end

function response(status)
    if reading then
        gets = gets + 1
        seconds = seconds + now() - from
    end
end

function done()
    io.write(string.format('said gets %d\nsaid seconds %f\n', client:get('gets'), client:get('seconds')))
end
