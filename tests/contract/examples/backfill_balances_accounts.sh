# 通过账户列表回填
curl -X POST "https://api.datahub.example.com/api/v1/backfill/balances" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["BNC_MM01", "OKX_MM01"]
  }'
