# The server as an image. It runs the sources as they are, so the first stage only gathers them and
# the packages they need.
#
#   docker build -t coffer .
#   docker run -p 127.0.0.1:8200:8200 -v coffer-data:/var/lib/coffer coffer
#
# Mount your own configuration at /etc/coffer/coffer.hcl: the one inside speaks plain HTTP.
ARG NODE_IMAGE=node:26-slim

FROM ${NODE_IMAGE} AS gather
WORKDIR /opt/coffer
COPY package.json package-lock.json .npmrc LICENSE ./
RUN npm ci --omit=dev --ignore-scripts
COPY bin ./bin
COPY src ./src
RUN find src -name '*.test.ts' -delete && chmod -R a+rX,go-w .

FROM ${NODE_IMAGE}
# By number, so that an orchestrator can see that it is not root.
RUN groupadd --system --gid 10001 coffer \
  && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/coffer --no-create-home coffer \
  && install -d -o 10001 -g 10001 -m 0700 /var/lib/coffer /var/log/coffer \
  && install -d /etc/coffer \
  && ln -s /opt/coffer/bin/coffer /usr/local/bin/coffer
# Owned by root: the process cannot change what it runs.
COPY --from=gather /opt/coffer /opt/coffer
COPY examples/container/coffer.hcl /etc/coffer/coffer.hcl
USER 10001:10001
WORKDIR /var/lib/coffer
# The health check, and `docker exec … coffer …`, talk to the server in here.
ENV VAULT_ADDR=http://127.0.0.1:8200
# Compiled code is kept outside the volume, so a backup has the data and nothing else.
ENV XDG_CACHE_HOME=/tmp
VOLUME ["/var/lib/coffer", "/var/log/coffer"]
EXPOSE 8200
# A sealed server (2) is well: it waits for its operators, and a restart would not open it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["sh", "-c", "coffer status > /dev/null 2>&1 || [ $? -eq 2 ]"]
ENTRYPOINT ["/opt/coffer/bin/coffer"]
CMD ["server", "-config=/etc/coffer/coffer.hcl"]
