// A Medusa shop on 127.0.0.1 with its data at DATABASE_URL, without the admin's pages.
const { defineConfig } = require('@medusajs/framework/utils');

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false },
    http: { storeCors: '*', adminCors: '*', authCors: '*', jwtSecret: 'peer-only', cookieSecret: 'peer-only' },
  },
});
