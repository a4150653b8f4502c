# 回填指定交易对和时间范围
curl -X POST "https://api.datahub.example.com/api/v1/backfill/fills" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "accounts": ["OKX_MM01"],
    "symbols": ["BTC_USDT", "ETH_USDT"],
    "start_time": "2026-01-01T00:00:00Z",
    "end_time": "2026-01-15T00:00:00Z"
  }'
