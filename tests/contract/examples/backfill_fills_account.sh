# 回填指定账户的成交
curl -X POST "https://api.datahub.example.com/api/v1/backfill/fills" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["OKX_MM01"]
  }'
