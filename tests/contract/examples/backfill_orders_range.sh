# 回填指定时间范围的订单
curl -X POST "https://api.datahub.example.com/api/v1/backfill/orders" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["OKX_MM01"],
    "symbols": ["BTC_USDT", "ETH_USDT"],
    "start_time": "2026-01-01T00:00:00Z",
    "end_time": "2026-01-15T00:00:00Z"
  }'
