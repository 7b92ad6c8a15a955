FROM python:3.12-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY agents agents
COPY clients clients
COPY consumers consumers
COPY producers producers
COPY schemas schemas
RUN useradd --system pathstream
USER pathstream
ENV HTTP_HOST=0.0.0.0
EXPOSE 8080
ENTRYPOINT ["python", "-m", "consumers"]
CMD ["run"]
