# 回填指定账户的转账
curl -X POST "https://api.datahub.example.com/api/v1/backfill/transfers" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["OKX_MM01"]
  }'
