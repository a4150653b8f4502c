# 回填指定交易所的所有行情
curl -X POST "https://api.datahub.example.com/api/v1/backfill/ticker" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "exchanges": ["BNC", "OKX"]
  }'
