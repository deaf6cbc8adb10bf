-- POST /todos, each with a text of its own, as a browser's form without Fetch Metadata.
local n, run = 0, os.getenv('RUN') or ''
local headers

function init()
    headers = {['content-type'] = 'application/x-www-form-urlencoded', ['origin'] = wrk.scheme .. '://' .. wrk.headers['Host']}
end

function request()
    n = n + 1
    return wrk.format('POST', '/todos', headers, 'text=Item+' .. run .. '+' .. n .. '&assignee=Ann')
end
