# A server image: production packages only, no bundled Node and no embedded PostgreSQL (set DATABASE_URL and REDIS_URL).
# Run it with one of: all, api, worker, migrate.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 REMIT_DATA_DIR=/data LOG_FORMAT=json
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
# The console shows it.
COPY docs/runbook.md ./docs/
USER node
VOLUME /data
EXPOSE 3000
# For processes that serve HTTP; switch it off for a worker.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=32", "src/main.mjs"]
CMD ["all"]
