// What aegir/chai is: chai with property calls (`.to.be.ok()`), promises and bytes.
import chai from 'chai'
import chaiAsPromised from 'chai-as-promised'
import chaiBites from 'chai-bites'
import chaiParentheses from 'chai-parentheses'

for (const plugin of [chaiAsPromised, chaiParentheses, chaiBites]) chai.use(plugin)
export const expect = chai.expect
