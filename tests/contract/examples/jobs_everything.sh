# 获取所有任务
curl -X GET "https://api.datahub.example.com/api/v1/jobs" \
  -H "Authorization: Bearer YOUR_TOKEN"
