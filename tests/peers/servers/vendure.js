// A Vendure shop on 127.0.0.1:PORT with its data in memory; run with NODE_PATH at Vendure's node_modules.
// The payment handler stands in for a processor: it takes what the storefront names, so that an order can be paid in parts.
const { bootstrap, DefaultLogger, LogLevel, LanguageCode, PaymentMethodHandler } = require('@vendure/core');

const handler = new PaymentMethodHandler({
  code: 'taker',
  description: [{ languageCode: LanguageCode.en, value: 'Takes any payment' }],
  args: {},
  createPayment: async (ctx, order, amount, args, metadata) => ({
    amount: metadata.amount || amount,
    state: metadata.authorize ? 'Authorized' : 'Settled',
    transactionId: 'ch_' + order.code + '_' + (metadata.amount || amount),
  }),
  settlePayment: async () => ({ success: true }),
  createRefund: async (ctx, input, amount) => ({ state: 'Settled', transactionId: 're_' + amount }),
});

bootstrap({
  apiOptions: { port: Number(process.env.PORT), hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer'],
    superadminCredentials: { identifier: 'owner', password: process.env.PASSWORD },
    cookieOptions: { secret: process.env.PASSWORD },
    requireVerification: false,
  },
  dbConnectionOptions: { type: 'sqljs', synchronize: true, autoSave: false },
  paymentOptions: { paymentMethodHandlers: [handler] },
  logger: new DefaultLogger({ level: LogLevel.Error }),
  plugins: [],
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
