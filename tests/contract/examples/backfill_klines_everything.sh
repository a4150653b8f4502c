# 回填所有交易所
curl -X POST "https://api.datahub.example.com/api/v1/backfill/klines" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "intervals": ["1h"],
    "start_time": "2026-01-01T00:00:00Z"
  }'
