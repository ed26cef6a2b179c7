print('imported statistics')
