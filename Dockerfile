FROM python:3.12-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY agents agents
COPY clients clients
COPY consumers consumers
COPY producers producers
COPY schemas schemas
RUN useradd --system pathstream && install -d -o pathstream /var/lib/pathstream
USER pathstream
ENV HTTP_HOST=0.0.0.0 STATE_DIR=/var/lib/pathstream
VOLUME /var/lib/pathstream
EXPOSE 8080
ENTRYPOINT ["python", "-m", "consumers"]
CMD ["run"]
