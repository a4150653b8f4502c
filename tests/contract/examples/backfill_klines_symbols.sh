# 回填指定交易对的 K 线
curl -X POST "https://api.datahub.example.com/api/v1/backfill/klines" \
  -H "Authorization: Bearer YOUR_TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "symbols": ["BTC_USDT.BNC", "BTC_USDT.OKX", "ETH_USDT.BNC"],
    "intervals": ["1m", "1h"],
    "start_time": "2026-01-01T00:00:00Z",
    "end_time": "2026-01-15T00:00:00Z"
  }'
