// stripe-stateful-mock on 127.0.0.1:PORT, as a live account; run with NODE_PATH at its node_modules.
const { createExpressApp } = require('stripe-stateful-mock');

createExpressApp()
  .set('json replacer', (key, value) => (key === 'livemode' ? true : value))
  .listen(Number(process.env.PORT), '127.0.0.1');
