# Serves on port 5000. The keys, and the database unless DATABASE_URL says otherwise, are in the one
# volume; nothing else is written, so the root file system may be read-only, with a tmpfs on /tmp.
# The version of .python-version.
FROM python:3.12-slim

# bin/serve must listen where the container's port is published.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    BIND=0.0.0.0
WORKDIR /app

# The packages first: they change less often than the program.
COPY requirements.txt requirements-dev.txt ./
COPY bin/setup bin/setup
RUN bin/setup

COPY bin/serve bin/serve
COPY Procfile gunicorn.conf.py wsgi.py LICENSE ./
COPY webhookproxy webhookproxy
COPY docs/uso/guia.md docs/uso/guia.md
RUN .venv/bin/python -m compileall -q webhookproxy wsgi.py

COPY --chown=10001:10001 --chmod=700 instance instance
USER 10001:10001
VOLUME ["/app/instance"]
EXPOSE 5000

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '5000') + '/saude', timeout=4)"]

# bin/serve ends as gunicorn itself, so SIGTERM reaches it: it needs up to 16 s to stop in good order.
STOPSIGNAL SIGTERM
CMD ["bin/serve"]
