# 回填所有交易所
curl -X POST "https://api.datahub.example.com/api/v1/backfill/orderbook" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "limit": 20
  }'
