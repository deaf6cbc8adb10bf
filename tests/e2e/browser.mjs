/* The browser's half under what happens to it in the world; one Chromium for all. `browser.mjs PART` runs the tests whose name contains PART. */
import './browser_updates.mjs'
import './browser_network.mjs'
import './browser_page.mjs'
import './browser_storage.mjs'
import { run } from './kit.mjs'

await run()
